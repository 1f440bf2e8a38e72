package import PlaygroundCore
package import Postgres

/// One loop's way to how users stand. Reads alone.
package final class StandingReader {
    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// Throws `session_revoked` where there is no such user any more, and `database_unavailable`.
    package func standing(of user: UserID) async throws(ServiceError) -> UserStanding {
        let standing: UserStanding?
        do throws(PostgresError) {
            let result = try await database.execute(StandingStatements.read, [.uuid(user.uuid)], tenant: user)
            standing = result.isEmpty ? nil : try UserStanding(result)
        } catch {
            throw error.serviceError
        }
        guard let standing else { throw ServiceError(.sessionRevoked) }
        return standing
    }
}
