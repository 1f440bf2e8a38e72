import EventLoop
import Metrics
import PlaygroundCore
import Streaming

/// The numbers of one loop's completions.
final class CompletionMeters {
    private let admission = Timer(label: "admission_duration_seconds")
    private let open = Meter(label: "completions_open")
    private let duration = Timer(label: "completion_duration_seconds")
    private let promptTokens = Counter(label: "completion_tokens_total", dimensions: [("kind", "prompt")])
    private let completionTokens = Counter(label: "completion_tokens_total", dimensions: [("kind", "completion")])
    private let done = ending("done")
    private let stopped = ending("stopped")
    private let failed = ending("failed")
    private let clientGone = ending("client_gone")

    private static func ending(_ name: String) -> Counter {
        Counter(label: "completions_total", dimensions: [("ending", name)])
    }

    /// The limits have decided on a request that asked at `started`, in monotonic nanoseconds.
    func decided(since started: Int64) { admission.recordNanoseconds(SystemClock.monotonicNanoseconds() - started) }

    /// One completion's measurement.
    struct Measurement {
        fileprivate let meters: CompletionMeters
        fileprivate let started: Int64

        func ended(_ outcome: CompletionOutcome) {
            meters.open.decrement()
            meters.duration.recordNanoseconds(SystemClock.monotonicNanoseconds() - started)
            meters.promptTokens.increment(by: outcome.usage.promptTokens)
            meters.completionTokens.increment(by: outcome.usage.completionTokens)
            switch outcome.ending {
            case .done: meters.done.increment()
            case .stopped: meters.stopped.increment()
            case .failed: meters.failed.increment()
            case .clientGone: meters.clientGone.increment()
            }
        }
    }

    func start() -> Measurement {
        open.increment()
        return Measurement(meters: self, started: SystemClock.monotonicNanoseconds())
    }
}
