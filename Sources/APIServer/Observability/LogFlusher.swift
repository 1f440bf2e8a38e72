@preconcurrency import Dispatch  // Dispatch sources are not marked Sendable, though they may be used from any thread.

/// Writes out what the log has gathered, four times a second.
final class LogFlusher: Sendable {
    private let timer: any DispatchSourceTimer

    init(_ sink: LogSink) {
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "log"))
        timer.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250), leeway: .milliseconds(50))
        timer.setEventHandler { @Sendable in sink.flush() }
        timer.activate()
    }

    func stop() { timer.cancel() }
}
