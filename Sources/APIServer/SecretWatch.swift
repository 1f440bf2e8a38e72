import Auth
import Dispatch
import Logging
import Synchronization

/// Has the files of the configuration read again when they change, looking twice a second, and when the process is told to (SIGHUP).
/// One for the process; it reads on a queue of its own, because a file may be slow.
final class SecretWatch: Sendable {
    private static let interval = Duration.milliseconds(500)

    private let queue = DispatchQueue(label: "secrets")
    private let state: Mutex<(configuration: ReloadedConfiguration, isStopped: Bool)>
    private let logger: Logger
    private let started: Configuration
    private let apply: @Sendable (Configuration, [String]) -> Void

    /// - Parameter apply: called on the queue with every configuration that differs from the one before, and the files that made it.
    init(
        _ configuration: ReloadedConfiguration, logger: Logger,
        apply: @escaping @Sendable (Configuration, [String]) -> Void
    ) {
        state = Mutex((configuration, false))
        started = configuration.current
        self.logger = logger
        self.apply = apply
    }

    /// Begins to look.
    func start() { queue.async { [self] in lookAgain() } }

    /// Ends looking.
    func stop() { state.withLock { $0.isStopped = true } }

    /// Reads all files, whether or not they seem to have changed.
    func readAll() {
        queue.async { [self] in
            logger.notice("reading secrets again")
            check(isWritten: true)
        }
    }

    private func lookAgain() {
        if state.withLock(\.isStopped) { return }
        check(isWritten: false)
        queue.asyncAfter(deadline: .now() + Self.interval.interval) { [self] in lookAgain() }
    }

    private func check(isWritten: Bool) {
        let (outcome, new) = state.withLock { state in
            (state.configuration.check(isWritten: isWritten), state.configuration.current)
        }
        for refusal in outcome.refusals {
            logger.warning(
                "a secret file is of no use, and what it held before holds on",
                metadata: ["file": .string(refusal.path), "reason": .string(refusal.reason)])
        }
        if outcome.taken.isEmpty { return }
        logger.notice(
            "secrets replaced",
            metadata: [
                "files": .string(outcome.taken.joined(separator: ", ")),
                "session_keys": .string(new.keys.ids.joined(separator: ", ")),
            ])
        if !new.hasUpstreams(of: started) {
            logger.warning("UPSTREAMS_FILE has changed in more than keys and headers: that holds from the next start on")
        }
        apply(new, outcome.taken)
    }
}
