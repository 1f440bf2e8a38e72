import EventLoop
import Logging
import Metrics
import PlaygroundCore
import Streaming

/// What one loop tells operators about its upstreams.
final class UpstreamMeters {
    private let logger: Logger
    private var failures: [String: Counter] = [:]

    init(logger: Logger) { self.logger = logger }

    /// The circuit breaker of an upstream: 1 while it is open.
    static func circuit(of upstream: String, logger: Logger) -> UpstreamCircuit {
        let open = Meter(label: "upstream_circuits_open", dimensions: [("upstream", upstream)])
        return UpstreamCircuit { isOpen in
            if isOpen { open.increment() } else { open.decrement() }
            logger.notice(
                isOpen ? "upstream does not answer and is spared" : "upstream answers again",
                metadata: ["upstream": .string(upstream)])
        }
    }

    func ranAway(_ id: CompletionID, from upstream: String) {
        logger.warning(
            "upstream went on far beyond max_tokens and was cut off",
            metadata: ["upstream": .string(upstream), "completion_id": .string(id.description)])
    }

    func failed(_ attempt: FailedAttempt) {
        let key = "\(attempt.upstream) \(attempt.fault)"
        let counter =
            failures[key]
            ?? Counter(
                label: "upstream_attempts_failed_total",
                dimensions: [("upstream", attempt.upstream), ("fault", attempt.fault)])
        failures[key] = counter
        counter.increment()
        var metadata: Logger.Metadata = [
            "upstream": .string(attempt.upstream), "fault": .string(attempt.fault),
            "completion_id": .string(attempt.completionID.description),
        ]
        switch attempt.next {
        case .wait(let duration): metadata["retry_after_ms"] = .stringConvertible(duration.wholeMilliseconds)
        case .ask(let upstream): metadata["next_upstream"] = .string(upstream)
        case .nothing: break
        }
        logger.info("attempt failed", metadata: metadata)
    }
}
