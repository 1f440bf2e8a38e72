/// A timer of one loop: armed, refreshed and cancelled through ``LoopIO``. Refreshing an armed one is a single store.
package final class LoopTimer {
    fileprivate let action: () -> Void
    /// In ticks. May be later than the slot it is linked in: the wheel looks again when the slot comes round.
    fileprivate var deadline: Int64 = 0
    fileprivate var next: LoopTimer?
    /// Safe because `previous.next` is a strong reference to this very timer.
    fileprivate unowned(unsafe) var previous: LoopTimer?
    fileprivate var slot = TimerWheel.unlinked

    /// - Parameter action: runs on the loop when the time is up; may arm or cancel any timer. The wheel holds an
    ///   armed timer, so an action that names its owner does so `unowned` and the owner cancels when it ends.
    package init(_ action: @escaping () -> Void) { self.action = action }

    /// Whether it will fire.
    package var isArmed: Bool { slot != TimerWheel.unlinked }
}

/// A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): constant-time arming and cancelling, one store to refresh.
/// Deadlines further off than one turn are put off again each time their slot comes round.
final class TimerWheel {
    /// Granularity in milliseconds.
    static let tick: Int64 = 8
    private static let slotCount: Int64 = 512
    private static let expiring = Int(slotCount)
    fileprivate static let unlinked = -1

    private var slots = [LoopTimer?](repeating: nil, count: Int(slotCount) + 1)
    /// One bit a slot that holds a timer, so that a quiet loop sleeps until the next one.
    private var occupied = [UInt64](repeating: 0, count: Int(slotCount / 64))
    private var current: Int64
    /// The monotonic millisecond at which the next occupied slot comes; `Int64.max` while none is.
    var nextDue: Int64 { due.value }
    private let due = LoopCell(Int64.max)

    init(now: Int64) { current = now / Self.tick }

    deinit {
        // A list released from its head would recurse once per timer.
        for index in slots.indices { while let timer = slots[index] { unlink(timer) } }
    }

    /// Arms or re-arms. Fires no earlier than `after`, at most two ticks later.
    func schedule(_ timer: LoopTimer, after: Int64, now: Int64) {
        if timer.slot != Self.unlinked { unlink(timer) }
        timer.deadline = Self.deadline(after: after, now: now)
        link(timer)
    }

    /// Puts an armed timer off; must not bring it forward.
    @inline(__always)
    func refresh(_ timer: LoopTimer, after: Int64, now: Int64) {
        timer.deadline = Self.deadline(after: after, now: now)
    }

    func cancel(_ timer: LoopTimer) {
        if timer.slot != Self.unlinked { unlink(timer) }
    }

    /// Fires what is due.
    func advance(to now: Int64) {
        if now < nextDue { return }
        let target = now / Self.tick
        // After a long sleep every slot is looked at once.
        current = max(current, target - Self.slotCount)
        while current < target {
            current += 1
            expire(slot: Int(current & (Self.slotCount - 1)))
        }
        findNextDue()
    }

    private static func deadline(after: Int64, now: Int64) -> Int64 {
        (now + max(0, after) + tick - 1) / tick + 1
    }

    private func expire(slot: Int) {
        guard slots[slot] != nil else { return }
        // Moved aside first: an action may link into this very slot.
        while let timer = slots[slot] {
            unlink(timer)
            insert(timer, at: Self.expiring)
        }
        while let timer = slots[Self.expiring] {
            unlink(timer)
            if timer.deadline <= current { timer.action() } else { link(timer) }
        }
    }

    private func link(_ timer: LoopTimer) {
        let due = current + min(max(timer.deadline - current, 1), Self.slotCount - 1)
        insert(timer, at: Int(due & (Self.slotCount - 1)))
        self.due.value = min(nextDue, due * Self.tick)
    }

    private func insert(_ timer: LoopTimer, at slot: Int) {
        timer.slot = slot
        timer.previous = nil
        timer.next = slots[slot]
        slots[slot]?.previous = timer
        slots[slot] = timer
        if slot != Self.expiring { occupied[slot >> 6] |= 1 << UInt64(slot & 63) }
    }

    private func unlink(_ timer: LoopTimer) {
        let slot = timer.slot
        let next = timer.next
        next?.previous = timer.previous
        timer.next = nil
        timer.slot = Self.unlinked
        if let previous = timer.previous {
            timer.previous = nil
            previous.next = next
        } else {
            slots[slot] = next
            if next == nil, slot != Self.expiring { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        }
    }

    private func findNextDue() {
        for distance in 1..<Self.slotCount {
            let slot = Int((current + distance) & (Self.slotCount - 1))
            if occupied[slot >> 6] & (1 << UInt64(slot & 63)) != 0 {
                due.value = (current + distance) * Self.tick
                return
            }
        }
        due.value = Int64.max
    }
}
