import Glibc

/// Descriptors, timers and shared buffers of one loop. Not Sendable: it never leaves the loop it belongs to.
package final class LoopIO {
    /// Scratch for one read; what it holds is good until the callback in hand returns.
    package let readBuffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)
    /// Scratch for what one wake-up sends; empty between callbacks.
    package let output = UnsafeMutablePointer<OutputBuffer>.allocate(capacity: 1)
    /// Monotonic milliseconds, read once per batch (CLOCK_MONOTONIC_COARSE: up to 4 ms behind).
    package var now: Int64 { time.value }
    /// Behind a pointer: other modules do not know of a variable that overlapping accesses to it are not checked.
    private let time: LoopCell<Int64>
    private let poller: Poller
    /// How many events the wait in hand has brought.
    private var batch = 0
    private let wheel: TimerWheel
    /// Nil where every send is a system call of its own.
    private let sends: SendBatch?
    // Unchecked: taken out before its elements are called.
    @exclusivity(unchecked) private var deferred: [() -> Void] = []

    /// - Parameter gathersSends: whether sends of streams are made together where the kernel can do that.
    init(wakeUp: Int32, gathersSends: Bool) {
        sends = gathersSends ? SendBatch() : nil
        output.initialize(to: OutputBuffer(capacity: 64 * 1024))
        let now = Self.clock()
        time = LoopCell(now)
        poller = Poller(wakeUp: wakeUp)
        wheel = TimerWheel(now: now)
    }

    deinit {
        sends?.end()
        readBuffer.deallocate()
        output.deinitialize(count: 1)
        output.deallocate()
    }

    /// Watches a channel's descriptor and keeps the channel alive until it is deregistered.
    /// - Parameter interest: ``Readiness/edge`` for connections; libraries that do not drain their sockets register
    ///   level-triggered (`[.readable]`, `[.readable, .writable]`).
    package func register(_ channel: Channel, _ interest: Readiness = .edge) { poller.register(channel, interest) }

    /// Changes the interest of a level-triggered channel.
    package func modify(_ channel: Channel, _ interest: Readiness) { poller.modify(channel, interest) }

    /// Stops watching. The object lives until the batch in hand is done.
    /// - Parameter close: whether the descriptor is closed as well.
    package func deregister(_ channel: Channel, close: Bool) {
        settle(channel)
        poller.deregister(channel, close: close)
    }

    /// Sends what the socket of a channel takes, at once or together with what others have to send. In that case all of it is reported
    /// as moved, and what the socket did not take comes back by ``Channel/unsent(_:isBroken:)`` when the events in hand are delivered, or
    /// at ``settle(_:)``: whoever decides something because nothing is owed any more asks for that first.
    package func send(_ bytes: UnsafeBufferPointer<UInt8>, on channel: Channel) -> Socket.Transfer {
        if let sends {
            if sends.holds(channel) {
                let number = channel.sendBatch
                sends.flush()
                // What came before had no room: this is not to overtake it.
                if channel.sendBatch != number { return .blocked }
            }
            if sends.add(bytes, for: channel) { return .moved(bytes.count) }
        }
        return Socket.send(channel.descriptor, bytes)
    }

    /// Has what was reported as moved sent, or come back.
    package func settle(_ channel: Channel) {
        if let sends, sends.holds(channel) { sends.flush() }
    }

    /// Arms or re-arms a timer: it fires no earlier than `after` and normally within 16 ms of it.
    package func schedule(_ timer: LoopTimer, after: Duration) { schedule(timer, milliseconds: after.wholeMilliseconds) }

    /// The same for who counts in milliseconds: to make a `Duration` of them and take it apart again costs more than the rest.
    package func schedule(_ timer: LoopTimer, milliseconds: Int64) { wheel.schedule(timer, after: milliseconds, now: now) }

    /// Puts an armed timer off, at the cost of one store. Must not bring it forward: use ``schedule(_:after:)`` for that.
    package func refresh(_ timer: LoopTimer, milliseconds: Int64) { timer.deadline = now &+ milliseconds }

    /// Disarms; nothing happens where the timer is not armed.
    package func cancel(_ timer: LoopTimer) { wheel.cancel(timer) }

    /// Disarms a timer that is likely to be armed again soon, at the cost of one store. Its owner cancels it in the end.
    package func rest(_ timer: LoopTimer) { wheel.rest(timer) }

    /// Runs `work` once, after the events and jobs in hand: for what is worth doing once for all of them, like a flush.
    package func atEndOfTurn(_ work: @escaping () -> Void) { deferred.append(work) }

    /// Waits for events, and delivers those that somebody waits for: requests, answers of the database, other loops' wishes.
    /// ``finishBatch()`` has to follow.
    /// - Returns: whether other threads have left work.
    func poll(block: Bool) -> Bool {
        batch = poller.wait(timeout: block ? sleepTime : 0)
        time.value = Self.clock()
        sends?.open(for: batch)
        defer { sends?.close() }
        return poller.deliver(batch, bulk: false)
    }

    /// Delivers what came in bulk with the rest, then fires the timers that are due.
    func finishBatch() {
        sends?.open(for: batch)
        _ = poller.deliver(batch, bulk: true)
        sends?.close()
        wheel.advance(to: now)
        poller.bury()
    }

    func runDeferred() {
        if deferred.isEmpty { return }
        let work = deferred
        deferred = []
        for item in work { item() }
    }

    var hasDeferred: Bool { !deferred.isEmpty }

    private var sleepTime: Int32 {
        if wheel.nextDue == Int64.max { return -1 }
        return Int32(truncatingIfNeeded: min(max(0, wheel.nextDue - now), 60_000))
    }

    private static func clock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    /// Rounded up, so that a wait is never shorter than asked.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? 0 : Int64.max / 4 }
        return whole + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
