import CSystem
import Glibc

/// Readiness of descriptors: one epoll instance. The only file that knows epoll(7); kqueue would stand beside it.
final class Poller {
    private let epoll: Int32
    private let wakeUp: Int32
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 512)
    /// Channels deregistered during a batch: later events of that batch may still name them.
    private let graveyard = LoopCell<[Unmanaged<Channel>]>([])

    /// - Parameter wakeUp: an eventfd; readable means that other threads have left work.
    init(wakeUp: Int32) {
        self.wakeUp = wakeUp
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "epoll_create1 failed: errno \(errno)")
        var event = epoll_event()
        event.events = Readiness.readable.rawValue
        event.data.ptr = nil
        epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event)
    }

    deinit {
        events.deallocate()
        close(epoll)
    }

    func register(_ channel: Channel, _ interest: Readiness) {
        precondition(!channel.isRegistered, "a channel is registered once")
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.ptr = Unmanaged.passRetained(channel).toOpaque()
        channel.isRegistered = true
        let result = epoll_ctl(epoll, EPOLL_CTL_ADD, channel.descriptor, &event)
        precondition(result == 0, "epoll_ctl failed: errno \(errno)")
    }

    func modify(_ channel: Channel, _ interest: Readiness) {
        guard channel.isRegistered else { return }
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.ptr = Unmanaged.passUnretained(channel).toOpaque()
        epoll_ctl(epoll, EPOLL_CTL_MOD, channel.descriptor, &event)
    }

    func deregister(_ channel: Channel, close closing: Bool) {
        guard channel.isRegistered else { return }
        channel.isRegistered = false
        // Deleted by name even before a close: a duplicate of the descriptor elsewhere would keep it watched.
        epoll_ctl(epoll, EPOLL_CTL_DEL, channel.descriptor, nil)
        if closing {
            close(channel.descriptor)
            channel.descriptor = -1
        }
        graveyard.value.append(Unmanaged.passUnretained(channel))
    }

    /// Waits for one batch.
    /// - Parameter timeout: milliseconds; -1 waits for ever.
    /// - Returns: how many events wait for ``deliver(_:)``.
    func wait(timeout: Int32) -> Int {
        max(0, Int(epoll_wait(epoll, events.baseAddress, Int32(events.count), timeout)))
    }

    /// Hands the events of the last wait to their channels.
    /// - Returns: whether the wake-up descriptor was among them.
    func deliver(_ count: Int) -> Bool {
        var woken = false
        for index in 0..<count {
            let event = events[index]
            guard let pointer = event.data.ptr else {
                woken = true
                continue
            }
            Unmanaged<Channel>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
                if $0.isRegistered { $0.ready(Readiness(rawValue: event.events)) }
            }
        }
        return woken
    }

    /// Lets go of what was deregistered; called when no event of the batch is left.
    func bury() {
        while let dead = graveyard.value.popLast() { dead.release() }
    }
}
