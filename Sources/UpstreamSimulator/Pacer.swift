import CSystem
import EventLoop
import Glibc

/// Who is woken at a time. Confined to its loop.
class Paced {
    /// Grows with every arming, so that an earlier one is known to be void when it comes up.
    fileprivate final var ticket: UInt64 = 0
    func wake() {}
}

/// Wakes at a nanosecond rather than at a tick: the loop's wheel would make every twentieth millisecond a bunch of tokens,
/// and the latency measured through a server would be the bunch's.
final class Pacer: Channel {
    private struct Entry {
        let due: Int64
        let ticket: UInt64
        let target: Paced
    }

    /// A binary heap, the earliest first.
    private var heap: [Entry] = []
    /// When the timer is set to go off; `Int64.max` while it is not.
    private var armedFor = Int64.max

    init(io: LoopIO) {
        super.init(descriptor: timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC)))
        precondition(descriptor >= 0, "timerfd_create failed: errno \(errno)")
        io.register(self, [.readable])
    }

    /// Wakes `target` at `due`, monotonic nanoseconds, in place of any earlier arming.
    func arm(_ target: Paced, at due: Int64) {
        target.ticket += 1
        push(Entry(due: due, ticket: target.ticket, target: target))
        if due < armedFor { set(due) }
    }

    func disarm(_ target: Paced) { target.ticket += 1 }

    override func ready(_ readiness: Readiness) {
        var expirations: UInt64 = 0
        _ = read(descriptor, &expirations, 8)
        armedFor = Int64.max
        let now = SystemClock.monotonicNanoseconds()
        // Ends: a waking arms only for a time that is still to come when it asks, hence later than `now`.
        while let first = heap.first, first.due <= now {
            pop()
            if first.target.ticket == first.ticket { first.target.wake() }
        }
        if let first = heap.first, first.due < armedFor { set(first.due) }
    }

    private func set(_ due: Int64) {
        armedFor = due
        var time = itimerspec()
        // Zero would disarm it.
        let due = max(due, 1)
        time.it_value.tv_sec = Int(due / 1_000_000_000)
        time.it_value.tv_nsec = Int(due % 1_000_000_000)
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &time, nil)
    }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].due <= heap[child].due { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].due < heap[least].due {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
