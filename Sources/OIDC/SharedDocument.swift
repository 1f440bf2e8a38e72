import Synchronization

/// A document of a provider, one for the process: whoever needs it first fetches it, on the loop it is on, and the others
/// wait for that.
final class SharedDocument<Value: Sendable>: Sendable {
    /// A document and which one it is, for ``current(now:rejecting:fetch:)``.
    struct Version: Sendable {
        let value: Value
        let generation: Int
    }

    private struct State {
        var kept = KeptDocument<Value>()
        var isBeingFetched = false
        var waiting: [UnsafeContinuation<Void, Never>] = []
        var failure = ProviderFailure("not asked yet")
    }

    private enum Step {
        case use(Version)
        case fetch
        case wait
        case fail(ProviderFailure)
    }

    private let state = Mutex(State())

    /// The document, fetched where it has to be.
    /// - Parameters:
    ///   - now: monotonic seconds.
    ///   - rejected: a version that did not do; only a newer one is wanted.
    ///   - cause: who says so.
    /// - Throws: where there is none, or none that is newer, and another may not be had now.
    func current(
        now: Int64, rejecting rejected: Int? = nil, cause: KeptDocument<Value>.Cause = .need,
        fetch: () async throws(ProviderFailure) -> Value
    ) async throws(ProviderFailure) -> Version {
        var hasWaited = false
        while true {
            switch step(now, rejected, cause, hasWaited: hasWaited) {
            case .use(let version): return version
            case .fail(let failure): throw failure
            case .wait:
                await untilFetched()
                hasWaited = true
            case .fetch:
                let outcome: Result<Value, ProviderFailure>
                do throws(ProviderFailure) { outcome = .success(try await fetch()) } catch { outcome = .failure(error) }
                finish(outcome, now)
                hasWaited = true
            }
        }
    }

    /// - Parameter hasWaited: for a fetch, whose outcome then has to do.
    private func step(_ now: Int64, _ rejected: Int?, _ cause: KeptDocument<Value>.Cause, hasWaited: Bool) -> Step {
        state.withLock { state in
            if !hasWaited, state.kept.isWanting(now: now, rejected: rejected) {
                if state.isBeingFetched { return .wait }
                if state.kept.mayFetch(now: now, cause) {
                    state.isBeingFetched = true
                    return .fetch
                }
            }
            guard let value = state.kept.usable(now: now, rejected: rejected) else { return .fail(state.failure) }
            return .use(Version(value: value, generation: state.kept.generation))
        }
    }

    private func untilFetched() async {
        await withUnsafeContinuation { continuation in
            let isOver = state.withLock { state in
                if state.isBeingFetched { state.waiting.append(continuation) }
                return !state.isBeingFetched
            }
            if isOver { continuation.resume() }
        }
    }

    private func finish(_ outcome: Result<Value, ProviderFailure>, _ now: Int64) {
        let waiting = state.withLock { state in
            switch outcome {
            case .success(let value): state.kept.received(value, now: now)
            case .failure(let failure): state.failure = failure
            }
            state.isBeingFetched = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
