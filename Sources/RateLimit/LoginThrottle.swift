package import Logging
package import PlaygroundCore
package import Postgres

/// Slows the guessing of passwords down, for all replicas together, and lets no stranger keep the owner out.
///
/// An attempt is counted before its password is hashed, so that a burst gets no more hashes than the limits have room for, and is
/// given back when the password was right or was never judged. Nothing here knows which accounts exist: an address without one is
/// treated as any other. Belongs to its loop.
package final class LoginThrottle {
    /// From asking to the answer, the wait for one's turn included.
    private static let deadline = Duration.seconds(1)

    private let database: PostgresClient
    private let limits: LoginLimits
    private let delays: [Int64]
    private let logger: Logger
    private let turns = Turns()

    /// - Parameter limits: those of servers unless told otherwise.
    package init(database: PostgresClient, logger: Logger, limits: LoginLimits = LoginLimits()) {
        self.database = database
        self.limits = limits
        delays = limits.delays
        self.logger = logger
    }

    /// Runs a log-in if the limits have room for it. Where it ends with `invalid_credentials` it has failed, where it ends with
    /// another error it counts as not tried.
    /// - Parameter account: stands for the e-mail address, whether or not there is an account: up to 255 bytes, nothing readable.
    /// - Throws: `too_many_attempts` with the time to wait, before anything was run; `database_unavailable`, the same; else what
    ///   `body` throws.
    package func login<Session>(
        account: String, from client: ClientOrigin, _ body: () async throws(ServiceError) -> Session
    ) async throws(ServiceError) -> Session {
        let attempt = try await admitLogin(account, client)
        let session: Session
        do {
            session = try await body()
        } catch {
            if error.code != .invalidCredentials { await noteUndecided(attempt) }
            throw error
        }
        await noteSuccess(attempt)
        return session
    }

    /// Runs a registration if its address may try another one. It stays counted, whether or not it made an account: only errors
    /// are given back.
    /// - Throws: as ``login(account:from:_:)``.
    package func registration(
        from client: ClientOrigin, _ body: () async throws(ServiceError) -> Void
    ) async throws(ServiceError) {
        try await counted([Counted(.registrationAddress, client.address, limits.registrations)], body)
    }

    /// Runs what sends a mail if the client may have another one sent, and if the address that it goes to has not had its fill. It
    /// stays counted, whether or not a mail comes of it: only errors are given back.
    /// - Parameter account: as `login` has it.
    /// - Throws: as ``login(account:from:_:)``.
    package func mail(
        to account: String, from client: ClientOrigin, _ body: () async throws(ServiceError) -> Void
    ) async throws(ServiceError) {
        try await counted(
            [Counted(.mailAddress, client.address, limits.mailsOfClient), Counted(.mailAccount, account, limits.mailsToAccount)],
            body)
    }

    /// Removes rows that say nothing any more, `limit` of each kind at most; how many. For a task that comes by now and then:
    /// attempts are no faster than passwords are hashed, so a few thousand a minute keep up with them.
    @discardableResult
    package func purge(limit: Int = 10_000) async throws(ServiceError) -> Int {
        do {
            var count = 0
            for statement in [LoginThrottleStatements.purgeNetworks, LoginThrottleStatements.purgeWindows] {
                count += try await Int(database.execute(statement, [.int(limit)], lane: .slow, deadline: .seconds(10)).int(0, 0))
            }
            return count
        } catch {
            throw error.serviceError
        }
    }

    // MARK: What is counted in one place alone

    private struct Counted {
        let scope: Scope
        let subject: String
        let window: LoginLimits.Window

        init(_ scope: Scope, _ subject: String, _ window: LoginLimits.Window) {
            self.scope = scope
            self.subject = subject
            self.window = window
        }
    }

    /// Counts an attempt in each place in turn, and runs it where all have room.
    private func counted(_ places: [Counted], _ body: () async throws(ServiceError) -> Void) async throws(ServiceError) {
        var undo: [PostgresClient.Step] = []
        for place in places {
            let values: [PostgresValue] = [
                .text(place.scope.rawValue), .text(place.subject), .int(place.window.attempts),
                .int(place.window.length.wholeMicroseconds),
            ]
            let row = try await admission(
                [lock(place.scope, place.subject), (LoginThrottleStatements.admitAttempt, values)]
            ) { row throws(PostgresError) in
                (isAdmitted: try row.bool(0, 0), wait: try row.int(0, 1), at: try row.int(0, 2))
            }
            guard row.isAdmitted else { throw Self.refusal(wait: row.wait, limit: place.scope.rawValue) }
            undo += [lock(place.scope, place.subject), giveBack(place.scope, place.subject, row.at)]
        }
        do {
            try await body()
        } catch {
            await note(undo)
            throw error
        }
    }

    // MARK: One log-in

    /// An admitted log-in: what is needed to give it back.
    private struct Attempt {
        let account: String
        let client: ClientOrigin
        /// Microseconds since 1970, by the database's clock.
        let at: Int64
        /// The attempt before it, on this account from this network.
        let previous: Int64?
        let failuresBefore: Int64
    }

    private func admitLogin(_ account: String, _ client: ClientOrigin) async throws(ServiceError) -> Attempt {
        let (strangers, address) = (limits.strangers, limits.address)
        let values: [PostgresValue] = [
            .text(account), .text(client.network), .text(client.address), .intArray(delays),
            .int(limits.memory.wholeMicroseconds), .int(strangers.attempts), .int(strangers.length.wholeMicroseconds),
            .int(address.attempts), .int(address.length.wholeMicroseconds),
        ]
        let (isAdmitted, wait, limit, attempt) = try await admission(
            [
                lock(.loginAccount, account), lock(.loginAddress, client.address), (LoginThrottleStatements.admitLogin, values),
            ]
        ) { row throws(PostgresError) in
            let attempt = Attempt(
                account: account, client: client, at: try row.int(0, 3), previous: try row.intIfPresent(0, 4),
                failuresBefore: try row.int(0, 5))
            return (try row.bool(0, 0), try row.int(0, 1), try row.string(0, 2), attempt)
        }
        guard isAdmitted else { throw Self.refusal(wait: wait, limit: limit) }
        return attempt
    }

    private func noteSuccess(_ attempt: Attempt) async {
        let values: [PostgresValue] = [
            .text(attempt.account), .text(attempt.client.network), .int(limits.knownNetworks - 1),
            .int(limits.knownFor.wholeMicroseconds), .int(limits.memory.wholeMicroseconds),
        ]
        await note(attempt, (LoginThrottleStatements.succeeded, values))
    }

    private func noteUndecided(_ attempt: Attempt) async {
        let values: [PostgresValue] = [
            .text(attempt.account), .text(attempt.client.network), .int(attempt.at), .int(attempt.previous),
            .int(attempt.failuresBefore),
        ]
        await note(attempt, (LoginThrottleStatements.undecided, values))
    }

    /// Does what the outcome asks for, and gives the attempt back.
    private func note(_ attempt: Attempt, _ outcome: PostgresClient.Step) async {
        let (account, address) = (attempt.account, attempt.client.address)
        await note([
            lock(.loginAccount, account), lock(.loginAddress, address), outcome, giveBack(.loginAccount, account, attempt.at),
            giveBack(.loginAddress, address, attempt.at),
        ])
    }

    // MARK: Transactions

    /// What limits count attempts by.
    private enum Scope: String {
        case loginAccount = "login_account"
        case loginAddress = "login_address"
        case registrationAddress = "registration_address"
        case mailAddress = "mail_address"
        case mailAccount = "mail_account"

        /// The first half of its advisory locks' keys. Whoever takes two takes them in this order.
        var lockKind: Int {
            switch self {
            case .loginAccount: 0x6C6F_0001
            case .loginAddress: 0x6C6F_0002
            case .registrationAddress: 0x6C6F_0003
            case .mailAddress: 0x6C6F_0004
            case .mailAccount: 0x6C6F_0005
            }
        }
    }

    private func lock(_ scope: Scope, _ subject: String) -> PostgresClient.Step {
        (LoginThrottleStatements.lock, [.int(scope.lockKind), .text(subject)])
    }

    private func giveBack(_ scope: Scope, _ subject: String, _ at: Int64) -> PostgresClient.Step {
        (LoginThrottleStatements.giveBack, [.text(scope.rawValue), .text(subject), .int(at)])
    }

    /// One of this loop at a time: whatever else goes over the same connection waits for all that were sent before it, and of a storm's
    /// log-ins that shall be one.
    private func transaction(_ steps: [PostgresClient.Step]) async throws(PostgresError) -> [PostgresResult] {
        let end = ContinuousClock.now + Self.deadline
        return try await turns.take { () async throws(PostgresError) in
            let left = end - ContinuousClock.now
            guard left > .zero else { throw .timedOut }
            return try await database.transaction(steps, deadline: left)
        }
    }

    /// Runs the steps in one transaction and reads the last one's row. Where the database does not answer nothing is admitted.
    private func admission<Row>(
        _ steps: [PostgresClient.Step], _ read: (PostgresResult) throws(PostgresError) -> Row
    ) async throws(ServiceError) -> Row {
        do throws(PostgresError) {
            guard let row = try await transaction(steps).last else { throw .decoding("no result") }
            return try read(row)
        } catch {
            // Should it have been counted after all, it counts as one failure: nobody has to look whether it was.
            if case .unknownOutcome = error {
                throw ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: "\(error)")
            }
            throw error.serviceError
        }
    }

    /// What cannot be written is not repeated: the attempt then counts as a failure, until that is forgotten.
    private func note(_ steps: [PostgresClient.Step]) async {
        do throws(PostgresError) {
            _ = try await transaction(steps)
        } catch {
            logger.warning("outcome of a log-in not noted", metadata: ["error": "\(error)"])
        }
    }

    /// The same words whichever limit it was. Who waits as long as this says finds room, unless others have taken it.
    private static func refusal(wait: Int64, limit: String) -> ServiceError {
        ServiceError(.tooManyAttempts, retryAfter: .milliseconds((wait + 999) / 1000), cause: "limit on log-ins: \(limit)")
    }
}
