package import PlaygroundCore
package import Postgres

/// The accounts as operators see and change them.
package final class UserBook {
    private let database: PostgresClient
    private let now: WallClock

    /// - Parameter now: microseconds since 1970.
    package init(database: PostgresClient, now: @escaping WallClock) {
        self.database = database
        self.now = now
    }

    /// A user as an operator names them.
    package enum Reference: Sendable, Equatable {
        case id(UserID)
        case email(EmailAddress)

        /// $1 and $2 of the statements about one user.
        fileprivate var values: [PostgresValue] {
            switch self {
            case .id(let id): [.uuid(id.uuid), .null]
            case .email(let email): [.null, .text(email.description)]
            }
        }

        fileprivate var absence: ServiceError {
            switch self {
            case .id(let id): ServiceError(.notFound, "There is no user \(id)")
            case .email(let email): ServiceError(.notFound, "There is no user \(email)")
            }
        }
    }

    /// Lets nobody log in to an account any more, and ends its sessions on every replica. Once more is no error.
    /// - Throws: `not_found`; `database_unavailable`.
    package func disable(_ user: Reference) async throws(ServiceError) -> UserID {
        try await change(user, [(UserStatements.disable, user.values), (UserStatements.endSessions, user.values)])
    }

    /// Lets people log in to an account again.
    /// - Throws: `not_found`; `database_unavailable`.
    package func enable(_ user: Reference) async throws(ServiceError) -> UserID {
        try await change(user, [(UserStatements.enable, user.values)])
    }

    /// Makes an account without a password, and a link to choose one.
    /// - Throws: `invalid_request` for `email` where it has an account; `database_unavailable`.
    package func invite(_ email: EmailAddress, _ delivery: LinkDelivery) async throws(ServiceError) -> IssuedLink {
        let user = UserID(try newID())
        let result = try await run([(UserStatements.invite, [.uuid(user.uuid), .text(email.description)])])
        guard result.first?.isEmpty == false else {
            throw ServiceError(fields: [FieldError("email", .invalidValue, "There is an account with this address")])
        }
        return try await issue(.invite, for: user, email: email.description, delivery)
    }

    /// A link to choose another password.
    /// - Throws: `not_found`; `invalid_request` where the account has no address or is disabled; `database_unavailable`.
    package func reset(_ user: Reference, _ delivery: LinkDelivery) async throws(ServiceError) -> IssuedLink {
        let found = try await run([(UserStatements.find, user.values)]).first
        guard let found, !found.isEmpty else { throw user.absence }
        let row = try reading { () throws(PostgresError) in
            (id: try found.uuid(0, 0), email: try found.stringIfPresent(0, 1), isDisabled: try found.bool(0, 2))
        }
        guard let email = row.email else { throw ServiceError(.invalidRequest, "The account has no e-mail address") }
        if row.isDisabled { throw ServiceError(.invalidRequest, "The account is disabled: enable it first") }
        return try await issue(.reset, for: UserID(row.id), email: email, delivery)
    }

    /// How a link gets to the person.
    package enum LinkDelivery: Sendable {
        /// The operator hands it over.
        case printed(KeyRing)
        /// The servers mail it.
        case mailed
    }

    /// A link that was made.
    package struct IssuedLink: Sendable {
        package let user: UserID
        /// Nil where it is mailed.
        package let token: String?
        package let purpose: AccountLink.Purpose
    }

    private func issue(
        _ purpose: AccountLink.Purpose, for user: UserID, email: String, _ delivery: LinkDelivery
    ) async throws(ServiceError) -> IssuedLink {
        let id = try newID()
        guard case .printed(let keys) = delivery else {
            let kind = purpose == .invite ? "invitation" : "reset_password"
            _ = try await run([(MailStatements.request, [.uuid(id), .text(kind), .uuid(user.uuid), .text(email)])])
            return IssuedLink(user: user, token: nil, purpose: purpose)
        }
        guard let link = AccountLink(id: id, purpose: purpose, keys: keys) else {
            throw ServiceError(.internalError, cause: "HMAC failed")
        }
        let values: [PostgresValue] = [
            .uuid(id), .uuid(user.uuid), .text(purpose.rawValue), .text(email), .bytes(link.hash), .int(purpose.lifetime),
        ]
        _ = try await run([(MailStatements.arm, values)])
        return IssuedLink(user: user, token: link.token, purpose: purpose)
    }

    // MARK: Small parts

    /// The first step answers the user's id, if there is such a user.
    private func change(_ user: Reference, _ steps: [PostgresClient.Step]) async throws(ServiceError) -> UserID {
        guard let result = try await run(steps).first, !result.isEmpty else { throw user.absence }
        return UserID(try reading { () throws(PostgresError) in try result.uuid(0, 0) })
    }

    private func newID() throws(ServiceError) -> UUIDBytes {
        let random = try SecureRandom.uuid()
        return .v7(milliseconds: now() / 1_000, random: (random.high, random.low))
    }

    private func run(_ steps: [PostgresClient.Step]) async throws(ServiceError) -> [PostgresResult] {
        do {
            return try await database.transaction(steps, lane: .slow, deadline: .seconds(10))
        } catch {
            throw error.serviceError
        }
    }
}
