@preconcurrency import Dispatch  // Dispatch sources are not marked Sendable, though they may be used from any thread.
import EventLoop
import Glibc
import Synchronization

/// SIGTERM and SIGINT, heard by Dispatch sources and told to whoever waits; and SIGHUP, which ends nothing.
final class Signals: Sendable {
    private struct State {
        var received = 0
        var mustHurry = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextID = 0
        var onHangUp: (@Sendable () -> Void)?
    }

    private static let numbers = [SIGTERM, SIGINT, SIGHUP]

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "signals")
    private let sources: [any DispatchSourceSignal]

    init() {
        let queue = queue
        sources = Self.numbers.map { number in
            // The default action would end the process before the source hears of it.
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for (source, number) in zip(sources, Self.numbers) {
            source.setEventHandler { @Sendable [weak self] in self?.heard(number) }
            source.activate()
        }
    }

    /// A person at a terminal, or a second signal, does not wait for balancers.
    var mustHurry: Bool { state.withLock { $0.mustHurry } }

    /// Waits for the first signal; returns at once when it has come.
    func first() async { await wait(until: { $0.received > 0 }, atMost: nil) }

    /// Waits for another signal, at most for `duration`.
    func next(within duration: Duration) async { await wait(until: { _ in false }, atMost: duration) }

    /// Has a closure called for each SIGHUP from now on, on the signals' own queue.
    func onHangUp(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.onHangUp = action } }

    /// Waits for a while, whatever comes.
    func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            queue.asyncAfter(deadline: .now() + duration.interval) { @Sendable in continuation.resume() }
        }
    }

    /// Asks and begins to wait under one lock: a signal in between would be waited for in vain.
    private func wait(until isOver: @Sendable (State) -> Bool, atMost duration: Duration?) async {
        await withCheckedContinuation { continuation in
            let waiter: Int? = state.withLock { state in
                if isOver(state) { return nil }
                state.nextID += 1
                state.waiters[state.nextID] = continuation
                return state.nextID
            }
            guard let waiter else { return continuation.resume() }
            guard let duration else { return }
            queue.asyncAfter(deadline: .now() + duration.interval) { @Sendable [weak self] in self?.release(waiter) }
        }
    }

    private func release(_ id: Int) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }

    private func heard(_ number: Int32) {
        if number == SIGHUP {
            state.withLock(\.onHangUp)?()
            return
        }
        let waiters = state.withLock { state in
            state.received += 1
            state.mustHurry = state.mustHurry || number == SIGINT || state.received > 1
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension Duration {
    /// For Dispatch's clocks.
    var interval: DispatchTimeInterval { .milliseconds(Int(wholeMilliseconds)) }
}
