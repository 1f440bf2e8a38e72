package import PlaygroundCore
package import Postgres

/// Accounts and their sessions, as one loop serves them: registering, logging in, refreshing, logging out.
///
/// Belongs to its loop. Nothing it answers tells whether an address is known: the same answers, after the same work.
package final class AccountService {
    private let database: PostgresClient
    private let hasher: PasswordHasher
    private let revoked: RevokedSessions
    private let isRegistrationOpen: Bool
    private let now: WallClock
    private let keys: SessionKeys

    /// - Parameters:
    ///   - hasher: shared by all loops, as `revoked` is.
    ///   - now: microseconds since 1970, for the ends of access tokens and for ids.
    package init(
        database: PostgresClient, keys: SessionKeys, hasher: PasswordHasher, revoked: RevokedSessions, isRegistrationOpen: Bool,
        now: @escaping WallClock
    ) {
        self.database = database
        self.hasher = hasher
        self.revoked = revoked
        self.isRegistrationOpen = isRegistrationOpen
        self.now = now
        self.keys = keys
    }

    // MARK: Accounts

    /// What somebody wants to register, if they may. Nothing is hashed yet, and the database is not asked.
    /// - Throws: `registration_closed`; `invalid_request` for `email` or `password`.
    package func newAccount(email: String, password: String) throws(ServiceError) -> NewAccount {
        guard isRegistrationOpen else { throw ServiceError(.registrationClosed) }
        return try NewAccount(email: email, password: password)
    }

    /// Makes an account, or does nothing where the address has one: who asks cannot tell which.
    /// - Returns: whether it made one, for the audit trail and nobody else.
    /// - Throws: `overloaded`; `database_unavailable`.
    package func register(_ account: NewAccount) async throws(ServiceError) -> Bool {
        try await insertUser(account) != nil
    }

    /// Makes an account whatever the registration mode: for the operator.
    /// - Throws: as `register`, and `invalid_request` for `email`, also where the address has an account, or `password`.
    package func createUser(email: String, password: String) async throws(ServiceError) -> User {
        guard let user = try await insertUser(NewAccount(email: email, password: password)) else {
            throw ServiceError(fields: [FieldError("email", .invalidValue, "There is an account with this address")])
        }
        return user
    }

    /// Makes users that cannot log in, and a token for each that lives a day and that only a server which allows load tests takes.
    package func createLoadUsers(_ count: Int) async throws(ServiceError) -> [String] {
        var tokens: [String] = []
        while tokens.count < count {
            var batch: [UserID] = []
            for _ in 0..<min(1_000, count - tokens.count) { batch.append(try newUserID()) }
            _ = try await run(AccountStatements.insertLoadUsers, [.uuidArray(batch.map(\.uuid))], lane: .slow)
            for user in batch { tokens.append(try issued(accessTokens.issueLoad(user: user, now: seconds))) }
        }
        return tokens
    }

    /// The caller's account, and whether its address was confirmed.
    /// - Throws: `session_revoked` where the account or the session is gone.
    package func current(_ principal: Principal) async throws(ServiceError) -> (user: User, isEmailVerified: Bool) {
        let values: [PostgresValue] = [.uuid(principal.userID.uuid), .uuid(principal.sessionID?.uuid)]
        let result = try await run(AccountStatements.current, values, tenant: principal.userID)
        guard !result.isEmpty else { throw ServiceError(.sessionRevoked) }
        return try reading { () throws(PostgresError) in (try User(result), try result.bool(0, 4)) }
    }

    /// Nil where the address is taken. The password is hashed in either case.
    private func insertUser(_ account: NewAccount) async throws(ServiceError) -> User? {
        let hash = try await hasher.hash(account.password)
        let user = try newUserID()
        let values: [PostgresValue] = [.uuid(user.uuid), .text(account.email.description), .text(hash)]
        let result = try await run(AccountStatements.insert, values, tenant: user)
        if result.isEmpty { return nil }
        return try reading { () throws(PostgresError) in try User(result) }
    }

    // MARK: Sessions

    /// Starts a session.
    /// - Parameter origin: what its owner is shown of it.
    /// - Throws: `invalid_credentials`, after the same work for every cause; `overloaded`; `database_unavailable`.
    package func login(
        email: EmailAddress, password: String, from origin: SessionOrigin = .unknown
    ) async throws(ServiceError) -> IssuedSession {
        let result = try await run(AccountStatements.credentials, [.text(email.description)])
        let (user, stored) = try reading { () throws(PostgresError) in
            result.isEmpty ? (nil, nil) : (try User(result), try result.stringIfPresent(0, 4))
        }
        let verification = try await hasher.verify(password, against: stored)
        guard verification.isMatch, let user, let stored else { throw ServiceError(.invalidCredentials) }
        let session = try await startSession(of: user, from: origin, shown: stored)
        if verification.needsRehash { await rehash(password, of: user.id, replacing: stored) }
        return session
    }

    /// The next tokens of a session. The same token may come again, from any replica, and gets the same successor until that
    /// one is used; a copy that comes later ends the session.
    /// - Parameters:
    ///   - origin: as `login` has it.
    ///   - reused: is told of a session that ended because a copy came.
    /// - Throws: `token_invalid`; `session_revoked` (log in); `database_unavailable`, which is safe to retry.
    package func refresh(
        _ token: String, from origin: SessionOrigin = .unknown, reused: (SessionID) -> Void = { _ in }
    ) async throws(ServiceError) -> IssuedSession {
        guard let presented = refreshTokens.read(token) else { throw ServiceError(.tokenInvalid) }
        let next = try refreshTokens.issued(presented.successor, keyID: refreshTokens.signingKeyID)
        let result: PostgresResult
        do {
            result = try await run(
                SessionStatements.refresh,
                [
                    .uuid(presented.session.uuid), .int(presented.counter), .bytes(presented.hash), .bool(presented.isAuthentic),
                    .bytes(next.hash), .text(next.keyID),
                ], noting: origin, of: presented.session)
        } catch {
            var error = error
            error.retryable = true
            throw error
        }
        // A session that is not there was deleted with its user, or long ago.
        guard !result.isEmpty else { throw ServiceError(presented.isAuthentic ? .sessionRevoked : .tokenInvalid) }
        let row = try reading { () throws(PostgresError) in
            (user: try User(result), verdict: try result.string(0, 4), keyID: try result.string(0, 5), end: try result.int(0, 6))
        }
        switch row.verdict {
        case "rotate", "replay":
            // The answer that was lost may derive from a key that this replica does not sign with.
            guard let successor = refreshTokens.issue(presented.successor, keyID: row.keyID) else {
                throw ServiceError(.tokenInvalid, cause: "the successor's key is in SESSION_KEYS no more")
            }
            return try session(presented.session, of: row.user, successor, ends: row.end)
        case "reuse":
            revoked.insert(presented.session, age: 0, now: seconds)
            reused(presented.session)
            throw ServiceError(.sessionRevoked, cause: "a refresh token was used again after its successor")
        case "revoked", "expired": throw ServiceError(.sessionRevoked)
        default: throw ServiceError(.tokenInvalid)
        }
    }

    /// Ends the session that an access token (expired or not) or a refresh token (of any generation) belongs to, on every replica.
    /// Any other text ends nothing, and that is no error.
    /// - Returns: the session that ended; nil where none did.
    @discardableResult
    package func logout(_ token: String) async throws(ServiceError) -> SessionID? {
        let result: PostgresResult
        if let presented = refreshTokens.read(token) {
            result = try await run(
                SessionStatements.revokeByRefreshToken,
                [.uuid(presented.session.uuid), .bytes(presented.hash), .bool(presented.isAuthentic)])
        } else if let principal = try? accessTokens.verifyIgnoringExpiry(token), let session = principal.sessionID {
            result = try await run(
                SessionStatements.revoke, [.uuid(session.uuid), .uuid(principal.userID.uuid)], tenant: principal.userID)
        } else {
            return nil
        }
        guard !result.isEmpty else { return nil }
        let session = try reading { () throws(PostgresError) in SessionID(try result.uuid(0, 0)) }
        revoked.insert(session, age: 0, now: seconds)
        return session
    }

    /// Removes sessions that ended long ago, a thousand at most; how many. For a task that comes by now and then.
    @discardableResult
    package func purgeSessions() async throws(ServiceError) -> Int {
        let result = try await run(SessionStatements.purge, [.int(1_000)], lane: .slow)
        return try reading { () throws(PostgresError) in Int(try result.int(0, 0)) }
    }

    /// A session of a user who has shown who they are.
    /// - Parameter shown: the stored hash of the password that they gave, which must not have changed; nil where they gave none.
    package func startSession(
        of user: User, from origin: SessionOrigin = .unknown, shown: String? = nil
    ) async throws(ServiceError) -> IssuedSession {
        let generation = RefreshGeneration(
            session: SessionID(try SecureRandom.uuid()), counter: 0, nonce: try SecureRandom.uuid())
        let token = try refreshTokens.issued(generation, keyID: refreshTokens.signingKeyID)
        let values: [PostgresValue] = [
            .uuid(generation.session.uuid), .uuid(user.id.uuid), .text(token.keyID), .bytes(token.hash), .text(shown),
        ]
        let result = try await run(SessionStatements.insert, values, noting: origin, of: generation.session, tenant: user.id)
        guard !result.isEmpty else { throw ServiceError(.invalidCredentials) }
        let end = try reading { () throws(PostgresError) in try result.int(0, 0) }
        return try session(generation.session, of: user, token, ends: end)
    }

    private func session(
        _ id: SessionID, of user: User, _ refreshToken: RefreshToken, ends: Int64
    ) throws(ServiceError) -> IssuedSession {
        IssuedSession(
            accessToken: try issued(accessTokens.issue(user: user.id, session: id, now: seconds)),
            expiresIn: AccessTokenCodec.lifetime, refreshToken: refreshToken.text, refreshExpiresIn: ends, user: user)
    }

    /// A log-in does not fail for want of a newer hash: the next one tries again.
    private func rehash(_ password: String, of user: UserID, replacing stored: String) async {
        guard let hash = try? await hasher.hash(password) else { return }
        _ = try? await run(AccountStatements.rehash, [.uuid(user.uuid), .text(hash), .text(stored)], tenant: user)
    }

    // MARK: Small parts

    private var seconds: Int64 { now() / 1_000_000 }
    private var accessTokens: AccessTokenCodec { keys.accessTokens }
    private var refreshTokens: RefreshTokenCodec { keys.refreshTokens }

    private func newUserID() throws(ServiceError) -> UserID {
        let random = try SecureRandom.uuid()
        return .v7(milliseconds: now() / 1_000, random: (random.high, random.low))
    }

    private func issued(_ token: String?) throws(ServiceError) -> String {
        guard let token else { throw ServiceError(.internalError, cause: "HMAC failed") }
        return token
    }

    private func run(
        _ statement: PostgresStatement, _ values: [PostgresValue], tenant: UserID? = nil, lane: PostgresClient.Lane = .hot
    ) async throws(ServiceError) -> PostgresResult {
        do {
            // A password may have been hashed before: both together stay within two seconds.
            return try await database.execute(
                statement, values, tenant: tenant, lane: lane, deadline: lane == .hot ? .seconds(1) : .seconds(10))
        } catch {
            throw error.serviceError
        }
    }

    /// The same for a statement that makes or rotates a session, and notes where that happened.
    private func run(
        _ statement: PostgresStatement, _ values: [PostgresValue], noting origin: SessionOrigin, of session: SessionID,
        tenant: UserID? = nil
    ) async throws(ServiceError) -> PostgresResult {
        let note: [PostgresValue] = [.uuid(session.uuid), .text(origin.device), .text(origin.address)]
        do throws(PostgresError) {
            let results = try await database.transaction(
                [(statement, values), (SessionStatements.noteOrigin, note)], tenant: tenant, deadline: .seconds(1))
            guard let result = results.first else { throw .decoding("no result") }
            return result
        } catch {
            throw error.serviceError
        }
    }
}

extension User {
    /// The first four columns of the first row.
    fileprivate init(_ result: PostgresResult) throws(PostgresError) {
        self.init(
            id: UserID(try result.uuid(0, 0)), email: try result.stringIfPresent(0, 1), plan: try result.string(0, 2),
            createdAt: Timestamp(microseconds: try result.int(0, 3)))
    }
}
