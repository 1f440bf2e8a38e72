package import PlaygroundCore
package import Postgres

/// Changing a password by somebody who is logged in and knows the old one. Belongs to its loop.
package final class PasswordChange {
    private let database: PostgresClient
    private let hasher: PasswordHasher
    private let revoked: RevokedSessions
    private let now: WallClock

    /// - Parameters:
    ///   - hasher: shared by all loops, as `revoked` is.
    ///   - now: microseconds since 1970.
    package init(database: PostgresClient, hasher: PasswordHasher, revoked: RevokedSessions, now: @escaping WallClock) {
        self.database = database
        self.hasher = hasher
        self.revoked = revoked
        self.now = now
    }

    /// What the caller has to match.
    package struct Credentials: Sendable {
        /// Whose attempts are counted; nil for an account without an address, which has no password either.
        package let email: EmailAddress?
        /// The session began within the last ten minutes.
        package let isFresh: Bool
        fileprivate let hash: String?

        package var hasPassword: Bool { hash != nil }
    }

    /// - Throws: `session_revoked` where the account or the session is gone; `database_unavailable`.
    package func credentials(of principal: Principal) async throws(ServiceError) -> Credentials {
        let values: [PostgresValue] = [.uuid(principal.userID.uuid), .uuid(principal.sessionID?.uuid)]
        let stored: (email: String?, hash: String?, isFresh: Bool)?
        do throws(PostgresError) {
            let result = try await database.execute(
                PasswordStatements.credentials, values, tenant: principal.userID, deadline: .seconds(1))
            stored =
                result.isEmpty ? nil : (try result.stringIfPresent(0, 0), try result.stringIfPresent(0, 1), try result.bool(0, 2))
        } catch {
            throw error.serviceError
        }
        guard let stored else { throw ServiceError(.sessionRevoked) }
        let email = try stored.email.map { text throws(ServiceError) in try EmailAddress(parsing: text) }
        return Credentials(email: email, isFresh: stored.isFresh, hash: stored.hash)
    }

    /// Whether this is the password; always after the same work.
    /// - Throws: `invalid_credentials` where it is not, and where the account has none; `overloaded`.
    package func prove(_ password: String, _ credentials: Credentials) async throws(ServiceError) {
        guard try await hasher.verify(password, against: credentials.hash).isMatch else {
            throw ServiceError(.invalidCredentials)
        }
    }

    /// Sets the password, and ends the user's other sessions on every replica. Log-ins with the old password that are under way
    /// come to nothing, and so do links that were mailed before: whoever knew the old one may have had the account's address changed.
    /// - Throws: `wrong_password` where it was changed meanwhile; `overloaded`; `database_unavailable`.
    package func change(to password: String, _ credentials: Credentials, by principal: Principal) async throws(ServiceError) {
        let hash = try await hasher.hash(password)
        let user = PostgresValue.uuid(principal.userID.uuid)
        do throws(PostgresError) {
            let results = try await database.transaction(
                [
                    (PasswordStatements.change, [user, .text(hash), .text(credentials.hash)]),
                    (PasswordStatements.voidLinks, [user, .text(hash)]),
                    (SessionBookStatements.endOthersAfterChange, [user, .uuid(principal.sessionID?.uuid), .text(hash)]),
                ], tenant: principal.userID, deadline: .seconds(1))
            guard let changed = results.first, let others = results.last else { throw .decoding("no result") }
            for session in try SessionBookStatements.ended(others) { revoked.insert(session, age: 0, now: now() / 1_000_000) }
            if !changed.isEmpty { return }
        } catch {
            throw error.serviceError
        }
        throw ServiceError(.wrongPassword)
    }
}
