package import PlaygroundCore
package import Postgres

/// Deletes accounts with everything of theirs. Belongs to its loop.
package final class AccountDeletion {
    /// Bills that are gone over in one transaction.
    private static let batch = 2_000

    private let database: PostgresClient
    private let revoked: RevokedSessions
    private let now: WallClock

    /// - Parameter now: microseconds since 1970.
    package init(database: PostgresClient, revoked: RevokedSessions, now: @escaping WallClock) {
        self.database = database
        self.revoked = revoked
        self.now = now
    }

    /// Deletes the account: whoever is logged in is logged out on every replica, and what they run ends. The bills are nobody's as soon
    /// as ``forget()`` has gone over them.
    /// - Throws: `session_revoked` where the account is gone already; `database_unavailable`, also where it is not known whether it is
    ///   gone.
    package func delete(_ user: UserID) async throws(ServiceError) {
        do throws(PostgresError) {
            let result = try await database.execute(
                MailStatements.deleteAccount, [.uuid(user.uuid)], lane: .slow, deadline: .seconds(5))
            if let ended = try result.stringIfPresent(0, 0) {
                for session in ended.split(separator: ",").compactMap({ SessionID(String($0)) }) {
                    revoked.insert(session, age: 0, now: now() / 1_000_000)
                }
                return
            }
        } catch {
            throw error.serviceError
        }
        throw ServiceError(.sessionRevoked)
    }

    /// Takes those who are gone out of the bills, all that there are. For a task that comes by now and then.
    package func forget() async throws(ServiceError) {
        do throws(PostgresError) {
            while try await database.execute(
                MailStatements.forget, [.int(Self.batch)], lane: .slow, deadline: .seconds(10)
            ).bool(0, 0) {}
        } catch {
            throw error.serviceError
        }
    }
}
