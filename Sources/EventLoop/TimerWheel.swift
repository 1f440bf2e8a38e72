/// A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): constant-time arming and cancelling, one store to refresh.
///
/// One turn takes 65 seconds, so that what a stream waits for (a heartbeat, a silence) is linked once and not looked at
/// before it is due. Deadlines further off than one turn are put off again each time their slot comes round.
final class TimerWheel {
    /// Granularity in milliseconds.
    static let tick: Int64 = 8
    private static let slotCount: Int64 = 8192
    private static let wordCount = Int(slotCount / 64)

    // Unchecked for overlapping accesses: no access to the lists calls anything that could come back.
    @exclusivity(unchecked) private var slots = [LoopTimer?](repeating: nil, count: Int(slotCount))
    /// One bit a slot that holds a timer, so that a quiet loop sleeps until the next one.
    @exclusivity(unchecked) private var occupied = [UInt64](repeating: 0, count: wordCount)
    @exclusivity(unchecked) private var current: Int64
    /// The monotonic millisecond at which the next occupied slot comes; `Int64.max` while none is.
    @exclusivity(unchecked) private(set) var nextDue = Int64.max

    init(now: Int64) { current = now / Self.tick }

    deinit {
        // A list released from its head would recurse once per timer.
        for index in slots.indices { while let timer = slots[index] { unlink(timer) } }
    }

    /// Arms or re-arms. Fires no earlier than `after`, at most two ticks later. A timer that is linked no later than it is
    /// due stays where it is.
    func schedule(_ timer: LoopTimer, after: Int64, now: Int64) {
        timer.deadline = now + max(0, after)
        if timer.linkedTick != 0 {
            if timer.linkedTick <= Self.dueTick(timer) { return }
            unlink(timer)
        }
        link(timer)
    }

    func cancel(_ timer: LoopTimer) {
        if timer.linkedTick != 0 { unlink(timer) }
    }

    /// Disarms a timer that is likely to be armed again soon: it stays linked, and its owner has to cancel it in the end.
    func rest(_ timer: LoopTimer) { timer.deadline = LoopTimer.never }

    /// Fires what is due.
    func advance(to now: Int64) {
        if now < nextDue { return }
        let target = now / Self.tick
        // After a long sleep every slot is looked at once.
        current = max(current, target - Self.slotCount)
        while current < target {
            current += 1
            expire(slot: Self.slot(current))
        }
        findNextDue()
    }

    private static func slot(_ tick: Int64) -> Int { Int(tick & (slotCount - 1)) }

    /// One tick more than the time takes: the loop's clock is up to half a tick behind.
    private static func dueTick(_ timer: LoopTimer) -> Int64 { (timer.deadline + tick - 1) / tick + 1 }

    /// Ends because nothing can be linked into the current slot: a link is at least one tick ahead and less than a turn.
    private func expire(slot: Int) {
        while let timer = slots[slot] {
            unlink(timer)
            if timer.deadline == LoopTimer.never { continue }
            if Self.dueTick(timer) <= current { timer.action() } else { link(timer) }
        }
    }

    private func link(_ timer: LoopTimer) {
        let tick = current + min(max(Self.dueTick(timer) - current, 1), Self.slotCount - 1)
        let slot = Self.slot(tick)
        timer.linkedTick = tick
        timer.previous = nil
        timer.next = slots[slot]
        timer.next?.previous = timer
        slots[slot] = timer
        occupied[slot >> 6] |= 1 << UInt64(slot & 63)
        nextDue = min(nextDue, tick * Self.tick)
    }

    private func unlink(_ timer: LoopTimer) {
        let slot = Self.slot(timer.linkedTick)
        let next = timer.next
        next?.previous = timer.previous
        timer.next = nil
        timer.linkedTick = 0
        if let previous = timer.previous {
            timer.previous = nil
            previous.next = next
        } else {
            slots[slot] = next
            if next == nil { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        }
    }

    private func findNextDue() {
        let first = Self.slot(current + 1)
        var word = first >> 6
        var bits = occupied[word] & (~0 << UInt64(first & 63))
        // Once more than there are words: the first one's lower bits come last.
        for _ in 0...Self.wordCount {
            if bits != 0 {
                let slot = Int64(word << 6 + bits.trailingZeroBitCount)
                nextDue = (current + ((slot - current) & (Self.slotCount - 1))) * Self.tick
                return
            }
            word = (word + 1) & (Self.wordCount - 1)
            bits = occupied[word]
        }
        nextDue = Int64.max
    }
}
