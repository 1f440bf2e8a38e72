package import PlaygroundCore
package import Postgres

/// What people do by mail: get a link, follow it, choose a new password, confirm an address. Belongs to its loop.
///
/// To ask for a mail is to have it written down, and nothing else: no look at who has an account, so that neither the answer nor its
/// time tells. ``MailPostman`` finds that out later.
package final class AccountRecovery {
    private let database: PostgresClient
    private let keys: SessionKeys
    private let hasher: PasswordHasher
    private let revoked: RevokedSessions
    /// Whether there is somebody to hand mails to.
    package let sendsMail: Bool
    private let now: WallClock

    /// - Parameters:
    ///   - hasher: shared by all loops, as `revoked` is.
    ///   - sendsMail: whether this server has somebody to hand mails to. Links that came another way are good without.
    ///   - now: microseconds since 1970.
    package init(
        database: PostgresClient, keys: SessionKeys, hasher: PasswordHasher, revoked: RevokedSessions, sendsMail: Bool,
        now: @escaping WallClock
    ) {
        self.database = database
        self.keys = keys
        self.hasher = hasher
        self.revoked = revoked
        self.sendsMail = sendsMail
        self.now = now
    }

    /// Has a link sent with which a password is set, if the address has an account.
    /// - Throws: `mail_disabled`; `database_unavailable`.
    package func requestReset(_ email: EmailAddress) async throws(ServiceError) {
        try await request("reset_password", email)
    }

    /// Has a link sent that confirms the address; where an account of before has it, a word that it has one. Nothing without mail.
    /// - Throws: `database_unavailable`.
    package func confirmRegistration(_ email: EmailAddress) async throws(ServiceError) {
        if sendsMail { try await request("register", email) }
    }

    /// Has a link sent to an address that is to be the user's, or is and is to be confirmed. Who asks has shown who they are.
    /// - Throws: `mail_disabled`; `database_unavailable`.
    package func requestChange(of user: UserID, to email: EmailAddress) async throws(ServiceError) {
        try await request("change_email", email, user)
    }

    /// Sets the password of the account that a link was made for. The link is used up, and all sessions end, on every replica.
    /// - Returns: whose account it is, and whether the link was an invitation.
    /// - Throws: `link_invalid`; `invalid_request` for `new_password`; `overloaded`; `database_unavailable`.
    package func setPassword(_ password: String, by token: String) async throws(ServiceError) -> (user: UserID, isInvited: Bool) {
        guard let link = AccountLink(presented: token, keys: keys.ring), link.purpose == .reset || link.purpose == .invite else {
            throw ServiceError(.linkInvalid)
        }
        // Before anything is hashed: nobody makes work here who was not sent a link.
        let found = try await run(MailStatements.passwordLink, Self.values(link))
        let email = try reading { () throws(PostgresError) in try found.stringIfPresent(0, 0) }
        guard let email else { throw ServiceError(.linkInvalid) }
        try PasswordPolicy.check(password, for: try? EmailAddress(parsing: email), field: "new_password")
        let hash = try await hasher.hash(password)
        let notice: UUIDBytes? = sendsMail ? try newID() : nil
        let result = try await run(MailStatements.usePasswordLink, Self.values(link) + [.text(hash), .uuid(notice)])
        let used = try reading { () throws(PostgresError) in (try result.uuidIfPresent(0, 0), try result.stringIfPresent(0, 1)) }
        guard let user = used.0 else { throw ServiceError(.linkInvalid) }
        for session in (used.1 ?? "").split(separator: ",").compactMap({ SessionID(String($0)) }) {
            revoked.insert(session, age: 0, now: now() / 1_000_000)
        }
        return (UserID(user), link.purpose == .invite)
    }

    /// Confirms an account's address, or gives it the address that the link was sent to.
    /// - Returns: whose account it is, and whether its address is another now.
    /// - Throws: `link_invalid`; `email_taken`; `database_unavailable`.
    package func confirmEmail(by token: String) async throws(ServiceError) -> (user: UserID, isChanged: Bool) {
        guard let link = AccountLink(presented: token, keys: keys.ring), link.purpose == .verify || link.purpose == .change else {
            throw ServiceError(.linkInvalid)
        }
        let result = try await run(MailStatements.useEmailLink, Self.values(link) + [.uuid(try newID())])
        let row = try reading { () throws(PostgresError) in (try result.string(0, 0), try result.uuidIfPresent(0, 1)) }
        if row.0 == "taken" { throw ServiceError(.emailTaken) }
        guard row.0 == "done", let user = row.1 else { throw ServiceError(.linkInvalid) }
        return (UserID(user), link.purpose == .change)
    }

    /// Removes links that nobody followed, for a task that comes by now and then.
    package func purgeLinks() async throws(ServiceError) {
        _ = try await run(MailStatements.purge, [.int(10_000)], lane: .slow, deadline: .seconds(10))
    }

    // MARK: Small parts

    /// - Throws: `mail_disabled`.
    package func requireMail() throws(ServiceError) {
        if !sendsMail { throw ServiceError(.mailDisabled) }
    }

    private func request(_ kind: String, _ email: EmailAddress, _ user: UserID? = nil) async throws(ServiceError) {
        try requireMail()
        let values: [PostgresValue] = [.uuid(try newID()), .text(kind), .uuid(user?.uuid), .text(email.description)]
        _ = try await run(MailStatements.request, values)
    }

    private static func values(_ link: AccountLink) -> [PostgresValue] {
        [.uuid(link.id), .text(link.purpose.rawValue), .bytes(link.hash)]
    }

    private func newID() throws(ServiceError) -> UUIDBytes {
        let random = try SecureRandom.uuid()
        return .v7(milliseconds: now() / 1_000, random: (random.high, random.low))
    }

    private func run(
        _ statement: PostgresStatement, _ values: [PostgresValue], lane: PostgresClient.Lane = .hot,
        deadline: Duration = .seconds(1)
    ) async throws(ServiceError) -> PostgresResult {
        do {
            return try await database.execute(statement, values, lane: lane, deadline: deadline)
        } catch {
            throw error.serviceError
        }
    }
}
