package import PlaygroundCore
package import Postgres

/// The limit that an API key may have of its own, under that of its owner's plan: requests a minute, exact over all processes, because the
/// key's one row decides. Belongs to its loop.
package final class KeyLimiter {
    private static let take = PostgresStatement(
        "key_limit_take", "select is_taken, wait, per_minute, level from take_key_request($1)")
    private static let giveBack = PostgresStatement("key_limit_give_back", "select give_back_key_request($1)")
    private static let deadline = Duration.seconds(1)

    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// Takes a request of a key that has a limit of its own; does nothing for anything else.
    /// - Returns: the error to be told where there is none left, and what is.
    /// - Throws: `token_invalid` where the key was revoked this very moment; `database_unavailable`.
    package func take(_ principal: Principal) async throws(ServiceError) -> (ServiceError, BucketSnapshot)? {
        guard let key = principal.key, key.isLimited else { return nil }
        do throws(PostgresError) {
            let result = try await database.execute(Self.take, [.uuid(key.id.uuid)], deadline: Self.deadline)
            if try result.bool(0, 0) { return nil }
            if let wait = try result.intIfPresent(0, 1) {
                let bucket = TokenBucket(level: try result.int(0, 3), perMinute: try result.int(0, 2))
                let error = ServiceError(
                    .rateLimitExceeded, "The API key has a limit of its own, and no request left for now",
                    retryAfter: .microseconds(wait))
                return (error, BucketSnapshot(requests: bucket, tokens: nil))
            }
        } catch {
            throw ReservationWriter.unavailable("\(error)")
        }
        throw ServiceError(.tokenInvalid)
    }

    /// Gives a request back that was not admitted. Where that does not succeed the key has one less for a while.
    package func giveBack(_ principal: Principal) async {
        guard let key = principal.key, key.isLimited else { return }
        _ = try? await database.execute(Self.giveBack, [.uuid(key.id.uuid)], deadline: Self.deadline)
    }
}
