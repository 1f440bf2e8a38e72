package import PlaygroundCore
package import Postgres

/// Log-ins through providers in the database: what is under way, what may be exchanged, and whose identity is whose. Belongs
/// to its loop.
package final class LoginStore {
    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// What a frontend asked for when it began a log-in.
    struct Wish: Sendable, Equatable {
        let redirectURI: String
        /// Its own state, to be given back.
        let state: String?
        /// S256, of its own verifier.
        let challenge: String
    }

    /// Remembers a log-in for ten minutes.
    /// - Throws: `too_many_attempts` where so many from this network are under way.
    func begin(
        _ secrets: LoginSecrets, provider: String, wish: Wish, network: String, atMost: Int
    ) async throws(ServiceError) {
        let values: [PostgresValue] = [
            .bytes(secrets.state.hash), .bytes(secrets.browser.hash), .text(provider), .text(wish.redirectURI), .text(wish.state),
            .text(wish.challenge), .text(network), .int(atMost),
        ]
        let hasBegun = try await run(LoginStatements.begin, values) { row throws(PostgresError) in try row.bool(0, 0) }
        if !hasBegun {
            throw ServiceError(.tooManyAttempts, retryAfter: .seconds(60), cause: "log-ins under way from one network")
        }
    }

    /// Takes a log-in that has come back; nil where it is unknown, over, taken or another browser's.
    func take(_ secrets: LoginSecrets, provider: String) async throws(ServiceError) -> Wish? {
        let values: [PostgresValue] = [.bytes(secrets.state.hash), .bytes(secrets.browser.hash), .text(provider)]
        return try await run(LoginStatements.take, values) { row throws(PostgresError) in
            if row.isEmpty { return nil }
            return Wish(
                redirectURI: try row.string(0, 0), state: try row.stringIfPresent(0, 1), challenge: try row.string(0, 2))
        }
    }

    /// Makes a code good for a minute.
    func issue(_ code: RandomToken, challenge: String, for person: IDToken) async throws(ServiceError) {
        let values: [PostgresValue] = [
            .bytes(code.hash), .text(challenge), .text(person.issuer), .text(person.subject), .text(person.email),
            .bool(person.isEmailVerified),
        ]
        try await run(LoginStatements.issueCode, values) { _ in }
    }

    /// Exchanges a code.
    /// - Throws: `login_attempt_invalid`; `registration_closed`.
    func redeem(_ code: RandomToken, challenge: String, ids: NewIDs, mayRegister: Bool) async throws(ServiceError) -> LoggedInUser
    {
        let values: [PostgresValue] = [
            .bytes(code.hash), .text(challenge), .uuid(ids.user.uuid), .uuid(ids.identity.uuid), .bool(mayRegister),
        ]
        return try await run(LoginStatements.redeem, values, Self.account).get(or: ServiceError(.loginAttemptInvalid))
    }

    /// Takes an ID token once, whose nonce is remembered as long as it could be believed again.
    /// - Throws: `id_token_invalid` where its nonce was used; `registration_closed`.
    func signIn(_ person: IDToken, ids: NewIDs, mayRegister: Bool) async throws(ServiceError) -> LoggedInUser {
        let nonce = Array("\(person.issuer)\n\(person.nonce ?? "")".utf8)
        let memory = Int64(IDTokenRules.maximumAge + 2 * IDTokenRules.leeway) + 60
        let values: [PostgresValue] = [
            .bytes(SHA256Digest(of: nonce.span).bytes), .int(memory), .text(person.issuer), .text(person.subject),
            .text(person.email), .bool(person.isEmailVerified), .uuid(ids.user.uuid), .uuid(ids.identity.uuid),
            .bool(mayRegister),
        ]
        return try await run(LoginStatements.signIn, values, Self.account)
            .get(or: ServiceError(.idTokenInvalid, "The nonce was used before", cause: "ID token: its nonce was used before"))
    }

    /// Gives the identity that a code stands for to a user.
    /// - Throws: `login_attempt_invalid`; `identity_in_use`.
    func link(_ code: RandomToken, challenge: String, to user: UserID, id: IdentityID) async throws(ServiceError) -> Identity {
        let values: [PostgresValue] = [.bytes(code.hash), .text(challenge), .uuid(user.uuid), .uuid(id.uuid)]
        let (verdict, identity) = try await run(LoginStatements.link, values) { row throws(PostgresError) in
            let verdict = try row.string(0, 0)
            guard verdict == "linked" else { return (verdict, Identity?.none) }
            let at = Timestamp(microseconds: try row.int(0, 4))
            return (
                verdict,
                Identity(
                    id: IdentityID(try row.uuid(0, 1)), issuer: try row.string(0, 2), email: try row.stringIfPresent(0, 3),
                    createdAt: at, lastUsedAt: at)
            )
        }
        guard let identity else { throw ServiceError(verdict == "in_use" ? .identityInUse : .loginAttemptInvalid) }
        return identity
    }

    /// A user's identities, oldest first.
    package func identities(of user: UserID) async throws(ServiceError) -> [Identity] {
        try await run(LoginStatements.list, [.uuid(user.uuid)], tenant: user) { rows throws(PostgresError) in
            var identities: [Identity] = []
            for row in rows.rows {
                identities.append(
                    Identity(
                        id: IdentityID(try rows.uuid(row, 0)), issuer: try rows.string(row, 1),
                        email: try rows.stringIfPresent(row, 2), createdAt: Timestamp(microseconds: try rows.int(row, 3)),
                        lastUsedAt: Timestamp(microseconds: try rows.int(row, 4))))
            }
            return identities
        }
    }

    /// Takes an identity away.
    /// - Throws: `not_found`; `last_login_method`.
    package func unlink(_ identity: IdentityID, from user: UserID) async throws(ServiceError) {
        let values: [PostgresValue] = [.uuid(user.uuid), .uuid(identity.uuid)]
        let verdict = try await run(LoginStatements.unlink, values) { row throws(PostgresError) in try row.string(0, 0) }
        switch verdict {
        case "unlinked": return
        case "last": throw ServiceError(.lastLoginMethod)
        default: throw ServiceError(.notFound)
        }
    }

    /// Removes what is over, `limit` of each kind at most. For a task that comes by now and then.
    package func purge(limit: Int = 10_000) async throws(ServiceError) {
        try await run(LoginStatements.purge, [.int(limit)], lane: .slow) { _ in }
    }

    // MARK: Parts

    /// Ids for what a first log-in makes.
    struct NewIDs: Sendable {
        let user: UserID
        let identity: IdentityID
    }

    /// Nil where there is no row.
    private static func account(_ row: PostgresResult) throws(PostgresError) -> LoggedInUser.Verdict {
        if row.isEmpty { return .refused }
        let verdict = try row.string(0, 0)
        if verdict == "closed" { return .closed }
        return .user(
            LoggedInUser(
                id: UserID(try row.uuid(0, 1)), email: try row.stringIfPresent(0, 2), plan: try row.string(0, 3),
                createdAt: Timestamp(microseconds: try row.int(0, 4)), isNew: verdict == "made", issuer: try row.string(0, 5)))
    }

    @discardableResult
    private func run<Value>(
        _ statement: PostgresStatement, _ values: [PostgresValue], tenant: UserID? = nil, lane: PostgresClient.Lane = .hot,
        _ read: (PostgresResult) throws(PostgresError) -> Value
    ) async throws(ServiceError) -> Value {
        do throws(PostgresError) {
            let deadline: Duration = lane == .hot ? .seconds(1) : .seconds(10)
            return try read(try await database.execute(statement, values, tenant: tenant, lane: lane, deadline: deadline))
        } catch {
            throw error.serviceError
        }
    }
}

/// Somebody whom a provider vouched for, as an account here.
package struct LoggedInUser: Sendable, Equatable {
    package let id: UserID
    /// Nil where the account has none.
    package let email: String?
    /// Name of the plan.
    package let plan: String
    package let createdAt: Timestamp
    /// Whether the account was made just now.
    package let isNew: Bool
    /// Who vouched for them.
    package let issuer: String

    /// What the database made of a log-in.
    fileprivate enum Verdict {
        case user(LoggedInUser)
        case closed
        case refused

        func get(or refusal: ServiceError) throws(ServiceError) -> LoggedInUser {
            switch self {
            case .user(let user): return user
            case .closed: throw ServiceError(.registrationClosed)
            case .refused: throw refusal
            }
        }
    }
}

/// An account at a provider that lets its owner in here.
package struct Identity: Sendable, Equatable {
    package let id: IdentityID
    /// Of the provider.
    package let issuer: String
    /// What the provider said at the last log-in.
    package let email: String?
    package let createdAt: Timestamp
    package let lastUsedAt: Timestamp
}
