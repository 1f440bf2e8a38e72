import CSystem
import Glibc

/// Readiness of descriptors: one epoll instance. The only file that knows epoll(7); kqueue would stand beside it.
///
/// The kernel is given no address but a number, unique among all registrations: the place of the channel in a table, and a
/// generation. epoll watches open files and not descriptors, so one that somebody else closed while a copy of it was open,
/// for instance in a process that is just being started, can still be told of after its channel is gone. Its number
/// then names nobody.
final class Poller {
    private let epoll: Int32
    private let wakeUp: Int32
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 512)
    // Unchecked for overlapping accesses: none is held while a channel is called.
    /// The registered channels, each held once, at the place that the lower half of its registration says.
    @exclusivity(unchecked) private var channels: [Unmanaged<Channel>?] = []
    @exclusivity(unchecked) private var freePlaces: [Int] = []
    private var generation: UInt64 = 0
    /// Channels deregistered during a batch: the one that is being called may be among them.
    @exclusivity(unchecked) private var graveyard: [Unmanaged<Channel>] = []

    /// - Parameter wakeUp: an eventfd; readable means that other threads have left work.
    init(wakeUp: Int32) {
        self.wakeUp = wakeUp
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "epoll_create1 failed: errno \(errno)")
        var event = epoll_event()
        event.events = Readiness.readable.rawValue
        event.data.u64 = Channel.unregistered
        epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event)
    }

    deinit {
        events.deallocate()
        close(epoll)
    }

    func register(_ channel: Channel, _ interest: Readiness) {
        precondition(!channel.isRegistered, "a channel is registered once")
        let place = freePlaces.popLast() ?? channels.count
        if place == channels.count { channels.append(nil) }
        channels[place] = Unmanaged.passRetained(channel)
        // From 1 on, so that no registration is that of the wake-up descriptor. It comes round after four billion.
        generation = generation % UInt64(UInt32.max) + 1
        channel.registration = generation << 32 | (channel is BulkChannel ? Self.bulkMark : 0) | UInt64(place)
        let result = control(EPOLL_CTL_ADD, channel, interest)
        precondition(result == 0, "epoll_ctl failed: errno \(errno)")
    }

    func modify(_ channel: Channel, _ interest: Readiness) {
        if channel.isRegistered { _ = control(EPOLL_CTL_MOD, channel, interest) }
    }

    private func control(_ operation: Int32, _ channel: Channel, _ interest: Readiness) -> Int32 {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = channel.registration
        return epoll_ctl(epoll, operation, channel.descriptor, &event)
    }

    func deregister(_ channel: Channel, close closing: Bool) {
        guard channel.isRegistered else { return }
        // Deleted by name even before a close: a duplicate of the descriptor elsewhere would keep it watched.
        epoll_ctl(epoll, EPOLL_CTL_DEL, channel.descriptor, nil)
        if closing { close(channel.descriptor) }
        let place = Self.place(channel.registration)
        channel.registration = Channel.unregistered
        if let held = channels[place] { graveyard.append(held) }
        channels[place] = nil
        freePlaces.append(place)
    }

    /// Waits for one batch.
    /// - Parameter timeout: milliseconds; -1 waits for ever.
    /// - Returns: how many events wait for ``deliver(_:)``.
    func wait(timeout: Int32) -> Int {
        max(0, Int(csystem_wait(epoll, events.baseAddress, Int32(events.count), timeout)))
    }

    /// Hands the events of the last wait to their channels, those in bulk and the others each by a call of its own.
    /// - Returns: whether the wake-up descriptor was among them.
    func deliver(_ count: Int, bulk: Bool) -> Bool {
        var woken = false
        if bulk { for index in -Self.channelLead..<0 { lookAhead(from: index, of: count) } }
        for index in 0..<count {
            let (registration, readiness) = (events[index].data.u64, Readiness(rawValue: events[index].events))
            if (registration & Self.bulkMark != 0) != bulk { continue }
            if registration == Channel.unregistered {
                woken = true
                continue
            }
            if bulk { lookAhead(from: index, of: count) }
            channels[Self.place(registration)]?._withUnsafeGuaranteedRef {
                if $0.registration == registration { $0.ready(readiness) }
            }
        }
        return woken
    }

    /// Has fetched what the events behind this one will touch: first the channel, and two events later, when that has come, what lies on
    /// its trail.
    private func lookAhead(from index: Int, of count: Int) {
        let (far, near) = (index + Self.channelLead, index + Self.trailLead)
        if far < count, let channel = bulkChannel(of: far) { csystem_prefetch(channel.toOpaque(), Self.channelLines) }
        if near >= 0, near < count, let channel = bulkChannel(of: near) {
            // A place belongs to channels of either kind in turn: a registration that is out of date may name one of the other.
            channel._withUnsafeGuaranteedRef {
                if $0.registration & Self.bulkMark != 0 { unsafeDowncast($0, to: BulkChannel.self).trail.follow() }
            }
        }
    }

    private func bulkChannel(of index: Int) -> Unmanaged<Channel>? {
        let registration = events[index].data.u64
        return registration & Self.bulkMark == 0 ? nil : channels[Self.place(registration)]
    }

    /// So many events ahead a channel is fetched, and what lies on its trail.
    private static let (channelLead, trailLead) = (4, 2)
    /// Lines of the cache that a channel with its trail fills.
    private static let channelLines: UInt32 = 3

    /// Lets go of what was deregistered; called when no event of the batch is left.
    func bury() {
        while let dead = graveyard.popLast() { dead.release() }
    }

    /// Stands in a registration beside the place, which needs fewer bits: so no channel is touched to see what it is.
    private static let bulkMark: UInt64 = 1 << 31
    private static func place(_ registration: UInt64) -> Int { Int(registration & 0x7fff_ffff) }
}
