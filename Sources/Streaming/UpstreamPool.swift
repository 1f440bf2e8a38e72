package import EventLoop
package import PlaygroundCore

/// The upstreams of one loop, and what its relays share. Not Sendable: it belongs to its loop.
package final class UpstreamPool {
    /// When heartbeats and heads go out.
    package let timing: RelayTiming
    /// The completions that are running.
    package let openRelays = RelayRegistry()
    /// In the order in which they are asked.
    let upstreams: [Upstream]
    let io: LoopIO
    // Once instead of for every stream.
    let heartbeatMilliseconds: Int64
    let commitMilliseconds: Int64
    let holdMilliseconds: Int64
    let lingeringMilliseconds: Int64
    let onFailedAttempt: (FailedAttempt) -> Void
    let onRunaway: (CompletionID, String) -> Void

    /// - Parameters:
    ///   - upstreams: in the order of the configuration.
    ///   - onFailedAttempt: told of every attempt that failed, also of those that no client hears of.
    ///   - onRunaway: told of every completion that was cut off far beyond its `max_tokens`, and of the upstream that went on.
    package init(
        _ upstreams: [Upstream], timing: RelayTiming, io: LoopIO, onFailedAttempt: @escaping (FailedAttempt) -> Void = { _ in },
        onRunaway: @escaping (CompletionID, String) -> Void = { _, _ in }
    ) {
        // The sort is not promised to be stable.
        self.upstreams = upstreams.enumerated()
            .sorted { ($0.element.description.priority, $0.offset) < ($1.element.description.priority, $1.offset) }
            .map(\.element)
        self.timing = timing
        self.io = io
        self.onFailedAttempt = onFailedAttempt
        self.onRunaway = onRunaway
        heartbeatMilliseconds = timing.heartbeat.wholeMilliseconds
        commitMilliseconds = timing.commitAfter.wholeMilliseconds
        holdMilliseconds = timing.holdAfterHead.wholeMilliseconds
        lingeringMilliseconds = timing.lingering.wholeMilliseconds
    }

    /// Who can be asked for this, in order; never empty.
    /// - Throws: `model_not_allowed` where none has the model, and the field that none of those which have it can express.
    func candidates(for request: UpstreamRequest) throws(ServiceError) -> [Upstream] {
        var refusal: FieldError?
        var candidates: [Upstream] = []
        for upstream in upstreams where upstream.serves(request) {
            if let field = upstream.refusal(of: request) {
                refusal = refusal ?? field
            } else {
                candidates.append(upstream)
            }
        }
        if candidates.isEmpty {
            throw ServiceError(fields: [refusal ?? FieldError("model", .modelNotAllowed, "no upstream has this model")])
        }
        return candidates
    }
}

/// One attempt that came to nothing, for log and metrics. Nothing in it was written by the upstream.
package struct FailedAttempt: Sendable, Equatable {
    /// What follows.
    package enum Next: Sendable, Equatable {
        /// The same or another upstream, after a wait.
        case wait(Duration)
        /// An upstream is asked at once.
        case ask(upstream: String)
        /// The client is told.
        case nothing
    }

    package let completionID: CompletionID
    package let upstream: String
    /// The class of the fault: ``UpstreamFault/label``.
    package let fault: String
    package let next: Next
}
