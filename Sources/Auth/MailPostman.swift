package import EventLoop
package import Logging
package import Mail
package import PlaygroundCore
package import Postgres

/// Takes mails from where requests have written them down, and hands them in at the mail server: one a time, one postman a process. Any
/// number of them share the work. Belongs to its loop, which waits for no mail server.
package final class MailPostman {
    /// How a mail went.
    package enum Outcome: String, Sendable, CaseIterable {
        case sent
        /// It is due again later.
        case delayed
        /// It was the last attempt, or there is no way to send it.
        case failed
    }

    /// What goes into mails.
    package struct Stationery: Sendable {
        let from: Mailbox
        let templates: MailTemplates
        let frontendURL: String

        /// - Parameter frontendURL: without a slash at its end.
        package init(from: Mailbox, templates: MailTemplates, frontendURL: String) {
            self.from = from
            self.templates = templates
            self.frontendURL = frontendURL
        }
    }

    /// Between two looks where nothing was due.
    private static let interval = Duration.milliseconds(500)
    /// After a look that failed.
    private static let retry = Duration.seconds(2)

    private let database: PostgresClient
    private let client: SMTPClient
    private let stationery: Stationery
    private let keys: SessionKeys
    private let io: LoopIO
    private let logger: Logger
    private let now: WallClock
    private let noted: (MailKind, Outcome) -> Void
    private var isStopped = false
    private var isRunning = false

    /// - Parameters:
    ///   - keys: what links are signed with.
    ///   - now: microseconds since 1970.
    ///   - noted: told of every attempt.
    package init(
        database: PostgresClient, client: SMTPClient, stationery: Stationery, keys: SessionKeys, io: LoopIO, logger: Logger,
        now: @escaping WallClock, noted: @escaping (MailKind, Outcome) -> Void
    ) {
        self.database = database
        self.client = client
        self.stationery = stationery
        self.keys = keys
        self.io = io
        self.logger = logger
        self.now = now
        self.noted = noted
    }

    /// Sends what is due, until it is stopped.
    package func run() async {
        isRunning = true
        defer { isRunning = false }
        while !isStopped {
            do throws(PostgresError) {
                if try await sendNext() == false { await io.pause(Self.interval) }
            } catch {
                logger.warning("mails could not be looked after", metadata: ["cause": "\(error)"])
                await io.pause(Self.retry)
            }
        }
    }

    /// Ends `run`; waits for the mail that is under way, five seconds at most: one that is cut off is sent again by somebody else.
    package func stop() async {
        isStopped = true
        let end = io.now + 5_000
        while isRunning, io.now < end { await io.pause(.milliseconds(20)) }
    }

    /// A mail that is due.
    private struct Due {
        let id: UUIDBytes
        let kind: MailKind
        let user: UserID
        let email: String
        let newEmail: String?
        let isLast: Bool
    }

    /// - Returns: whether there was one.
    package func sendNext() async throws(PostgresError) -> Bool {
        guard let due = try await take() else { return false }
        let outcome = await send(due)
        // Where this is not written the mail is sent again: rather twice than never.
        _ = try await database.execute(MailStatements.settle, [.uuid(due.id), .bool(outcome != .delayed)])
        noted(due.kind, outcome)
        return true
    }

    private func take() async throws(PostgresError) -> Due? {
        let result = try await database.execute(MailStatements.take)
        guard !result.isEmpty, let id = try result.uuidIfPresent(0, 0) else { return nil }
        let name = try result.string(0, 1)
        guard let kind = MailKind(rawValue: name) else { throw .decoding("there is no mail \(name)") }
        return Due(
            id: id, kind: kind, user: UserID(try result.uuid(0, 2)), email: try result.string(0, 3),
            newEmail: try result.stringIfPresent(0, 4), isLast: try result.bool(0, 5))
    }

    private func send(_ due: Due) async -> Outcome {
        // Neither the address nor the link: a log is read by many.
        var metadata: Logger.Metadata = ["mail": "\(due.id)", "kind": "\(due.kind.rawValue)", "user": "\(due.user)"]
        guard let address = MailAddress(due.email) else {
            logger.error("no mail can be sent to the address of an account", metadata: metadata)
            return .failed
        }
        do {
            let message = try await message(due, to: address)
            try await client.send(message)
            logger.info("mail sent", metadata: metadata)
            return .sent
        } catch {
            let isOver = due.isLast || (error as? SMTPError)?.isPermanent == true
            metadata["cause"] = "\(error)"
            if isOver {
                logger.error("mail not sent, and not tried again", metadata: metadata)
            } else {
                logger.warning("mail not sent, to be tried again", metadata: metadata)
            }
            return isOver ? .failed : .delayed
        }
    }

    private func message(_ due: Due, to address: MailAddress) async throws -> MailMessage {
        var values: [MailKind.Placeholder: String] = [
            .frontendURL: stationery.frontendURL, .email: due.email, .newEmail: due.newEmail ?? "",
        ]
        if let purpose = due.kind.linkPurpose {
            guard let link = AccountLink(id: due.id, purpose: purpose, keys: keys.ring) else {
                throw ServiceError(.internalError, cause: "HMAC failed")
            }
            _ = try await database.execute(
                MailStatements.arm,
                [
                    .uuid(due.id), .uuid(due.user.uuid), .text(purpose.rawValue), .text(due.email), .bytes(link.hash),
                    .int(purpose.lifetime),
                ])
            values[.token] = link.token
            values[.lifetime] = purpose.lifetimeText
        }
        let (subject, body) = stationery.templates.render(due.kind, values)
        return MailMessage(
            from: stationery.from, to: address, subject: subject, body: body, id: due.id, date: Timestamp(microseconds: now()))
    }
}

extension MailKind {
    /// What the mail's link is for; nil where it has none.
    fileprivate var linkPurpose: AccountLink.Purpose? {
        switch self {
        case .resetPassword: .reset
        case .verifyEmail: .verify
        case .changeEmail: .change
        case .invitation: .invite
        case .emailChanged, .passwordChanged, .accountExists: nil
        }
    }
}
