import PlaygroundCore

/// A user's row as the reserving statement saw it, and what follows from it. Pure.
struct Standing: Equatable {
    /// Whether the statement reserved; the levels are then those after it, else those it would have taken from.
    var admitted: Bool
    /// Whether the session, if one was given, exists and is not revoked.
    var sessionIsLive: Bool
    /// Whether the completion's id has been used before.
    var isRepeated: Bool
    /// Whether the user exists.
    var userIsKnown: Bool
    var requests: TokenBucket
    var tokens: TokenBucket
    /// Completions that run; nil before the user's first one, while the row is being made.
    var inFlight: Int64?

    enum Verdict {
        case decided(Admission)
        /// The row changed while the statement waited for it, or was only now made: another look decides.
        case lookAgain
    }

    /// The verdict on a request of `cost` tokens. Where several limits stand in the way, the one that cannot pass comes first,
    /// then the one whose wait is known.
    func verdict(cost: Int64, concurrentStreams: Int) -> Verdict {
        let snapshot = BucketSnapshot(requests: requests, tokens: tokens)
        if admitted { return .decided(.admitted(snapshot)) }
        if !sessionIsLive { return .decided(.refused(ServiceError(.sessionRevoked), nil)) }
        guard let inFlight else {
            return userIsKnown ? .lookAgain : .decided(.refused(ServiceError(.tokenInvalid, cause: "no such user"), nil))
        }
        if isRepeated { return .decided(.refused(ServiceError(.completionIDConflict), snapshot)) }
        guard let forTokens = tokens.wait(for: cost), let forRequests = requests.wait(for: 1) else {
            let detail = "The request may cost up to \(cost) tokens; the plan allows \(tokens.perMinute) at once"
            return .decided(.refused(ServiceError(.requestExceedsPlan, detail), snapshot))
        }
        let wait = max(forTokens, forRequests)
        if wait > .zero {
            let detail = forTokens >= forRequests ? "Too many tokens a minute" : "Too many requests a minute"
            return .decided(.refused(ServiceError(.rateLimitExceeded, detail, retryAfter: wait), snapshot))
        }
        if inFlight >= concurrentStreams {
            let detail = "\(inFlight) completions are running; the plan allows \(concurrentStreams)"
            return .decided(.refused(ServiceError(.concurrencyLimit, detail, retryAfter: .seconds(1)), snapshot))
        }
        return .lookAgain
    }
}
