import Dispatch
import Synchronization

/// Hands mails in at a mail server, one after another, through libcurl on a thread of its own: no loop waits for a mail server.
/// One for the process; any loop may call it.
package final class SMTPClient: Sendable {
    /// So many wait behind the one that is on its way; the next is refused.
    private static let capacity = 16

    private let configuration: Mutex<SMTPConfiguration>
    private let queue = DispatchQueue(label: "smtp")
    private let waiting = Atomic<Int>(0)

    package init(_ configuration: SMTPConfiguration) { self.configuration = Mutex(configuration) }

    /// The next mail is handed in as this says.
    package func use(_ configuration: SMTPConfiguration) { self.configuration.withLock { $0 = configuration } }

    /// Returns when the server has taken the mail: it is the server's to deliver then.
    /// - Throws: where it has not, or may not have. It ends within the configuration's time-out, the time in the queue apart.
    package func send(_ message: MailMessage) async throws(SMTPError) {
        let count = waiting.add(1, ordering: .relaxed).newValue
        defer { waiting.subtract(1, ordering: .relaxed) }
        guard count <= Self.capacity else { throw SMTPError(isPermanent: false, "too many mails are waiting") }
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, SMTPError>, Never>) in
            let configuration = configuration.withLock(\.self)
            queue.async {
                continuation.resume(returning: Result { () throws(SMTPError) in try SMTPTransfer(configuration).send(message) })
            }
        }
        try outcome.get()
    }
}

/// A mail that the server has not taken.
package struct SMTPError: Error, CustomStringConvertible {
    /// The server refuses this recipient or this mail, and will the next time.
    package let isPermanent: Bool
    /// For the log: names neither people nor secrets.
    package let description: String

    init(isPermanent: Bool, _ description: String) {
        self.isPermanent = isPermanent
        self.description = description
    }
}
