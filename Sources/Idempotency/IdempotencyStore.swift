package import PlaygroundCore
package import Postgres

/// One loop's way to the requests that came with an `Idempotency-Key`: who may answer one, and what was answered.
///
/// A request is claimed before it is carried out, and its answer kept before it is sent. The claim holds the id of what will
/// be created, so that an attempt after a crash creates the same thing or finds it. Where the database does not answer every call
/// throws `database_unavailable`, always retryable: repeating is what keys are for.
package final class IdempotencyStore {
    /// What became of a wish to answer a request.
    package enum Standing: Sendable, Equatable {
        /// It is the caller's to answer.
        case claimed(IdempotencyClaim)
        /// It was answered before.
        case answered(StoredAnswer)
        /// Another attempt is at it.
        case running
    }

    /// So many seconds an attempt has the request for itself, by the database's clock: far longer than one takes, so that whoever
    /// takes over takes over from the dead.
    package static let lease: Int64 = 30
    /// How long a key is kept: a day, and what a slow attempt may take of it.
    package static let hours: Int64 = 25
    /// What a user may have kept at one time: keys, and bytes of answers from which on no key is added. Nothing else bounds it,
    /// because what was created may be deleted and created again all day.
    package static let bounds = (keys: Int64(10_000), bytes: Int64(64 * 1024 * 1024))
    /// Few users have more keys than are counted while others wait behind; for those who do they are counted aside.
    private static let quicklyCounted: Int64 = 200
    private static let purgeBatch = 1_000

    private let database: PostgresClient

    package init(database: PostgresClient) {
        self.database = database
    }

    /// Asks for the right to answer a request. Throws `idempotency_key_reused` where the key came with another body,
    /// `rate_limit_exceeded` where the user has no room for another key, `token_invalid` where there is no such user.
    /// - Parameter attempt: a new one; of the first attempt it becomes the id of what is created.
    package func claim(_ request: IdempotentRequest, attempt: AttemptID) async throws(ServiceError) -> Standing {
        let names = Self.names(of: request) + [.bytes(request.digest.bytes), .uuid(attempt.uuid)]
        let bounds: [PostgresValue] = [.int(Self.quicklyCounted), .int(Self.bounds.bytes)]
        for isRoomKnown in [false, true] {
            let steps = [
                (IdempotencyStatements.claim, names + [.int(Self.lease), .bool(isRoomKnown)] + bounds),
                (IdempotencyStatements.read, names),
            ]
            let standing = try await asking { () throws(PostgresError) in
                let results = try await database.transaction(steps, tenant: request.owner)
                guard results.count == 2 else { throw .decoding("no second result") }
                return try Self.standing(of: request, attempt, results[1])
            }
            if let standing { return try standing.get() }
            if !isRoomKnown { try await checkRoom(of: request.owner) }
        }
        // A twin had the key and gave it up just now.
        return .running
    }

    /// Keeps the answer. Does nothing where the lease ran out and another attempt has taken over: it comes to the same answer.
    package func complete(_ claim: IdempotencyClaim, with answer: StoredAnswer) async throws(ServiceError) {
        let values = Self.names(of: claim) + [.int(Int64(answer.status)), .bytes(answer.fields), .bytes(answer.body)]
        _ = try await execute(IdempotencyStatements.complete, values, of: claim)
    }

    /// Gives the claim up without an answer, so that the request may be tried again at once.
    package func release(_ claim: IdempotencyClaim) async throws(ServiceError) {
        _ = try await execute(IdempotencyStatements.release, Self.names(of: claim), of: claim)
    }

    /// Gives the claim up and the key free, for any body: the request could not be carried out, and nothing was created. Where
    /// an earlier attempt may have created something, this is ``release(_:)``.
    package func forget(_ claim: IdempotencyClaim) async throws(ServiceError) {
        let steps = [IdempotencyStatements.forget, IdempotencyStatements.release].map { ($0, Self.names(of: claim)) }
        _ = try await asking { () throws(PostgresError) in
            try await database.transaction(steps, tenant: claim.request.owner)
        }
    }

    /// Removes keys that have lived their time, a batch at a time.
    package func purge() async throws(ServiceError) {
        let values: [PostgresValue] = [.int(Self.hours), .int(Self.purgeBatch)]
        while true {
            let removed = try await asking { () throws(PostgresError) in
                try await database.execute(IdempotencyStatements.purge, values, lane: .slow).int(0, 0)
            }
            if removed < Self.purgeBatch { return }
        }
    }

    /// What a key's row says to an attempt; nil where there is none.
    private static func standing(
        of request: IdempotentRequest, _ attempt: AttemptID, _ row: PostgresResult
    ) throws(PostgresError) -> Result<Standing, ServiceError>? {
        if row.isEmpty { return nil }
        guard try row.bool(0, 1) else { return .failure(ServiceError(.idempotencyKeyReused)) }
        if let status = try row.intIfPresent(0, 3) {
            let (fields, body) = (try row.bytes(0, 4), try row.bytes(0, 5))
            return .success(.answered(StoredAnswer(status: Int(status), fields: fields, body: body)))
        }
        guard try row.bool(0, 0) else { return .success(.running) }
        return .success(.claimed(IdempotencyClaim(request: request, attempt: attempt, resourceID: try row.uuid(0, 2))))
    }

    private func checkRoom(of owner: UserID) async throws(ServiceError) {
        let values: [PostgresValue] = [
            .uuid(owner.uuid), .int(Self.bounds.keys), .int(Self.bounds.bytes), .int(Self.hours),
        ]
        let (isUser, isFull, wait) = try await asking { () throws(PostgresError) in
            let row = try await database.execute(IdempotencyStatements.room, values, tenant: owner, lane: .slow)
            return (try row.bool(0, 0), try row.bool(0, 1), try row.intIfPresent(0, 2))
        }
        guard isUser else { throw ServiceError(.tokenInvalid, cause: "no such user") }
        if isFull {
            throw ServiceError(
                .rateLimitExceeded,
                "Too many requests of the last day had an Idempotency-Key; this one can be made without one",
                retryAfter: .milliseconds(max(1_000, wait ?? 1_000)))
        }
    }

    private static func names(of request: IdempotentRequest) -> [PostgresValue] {
        [.uuid(request.owner.uuid), .text(request.route), .text(request.key.text)]
    }

    private static func names(of claim: IdempotencyClaim) -> [PostgresValue] {
        names(of: claim.request) + [.uuid(claim.attempt.uuid)]
    }

    private func execute(
        _ statement: PostgresStatement, _ values: [PostgresValue], of claim: IdempotencyClaim
    ) async throws(ServiceError) -> PostgresResult {
        try await asking { () throws(PostgresError) in
            try await database.execute(statement, values, tenant: claim.request.owner)
        }
    }

    private func asking<Value>(
        _ body: () async throws(PostgresError) -> Value
    ) async throws(ServiceError) -> Value {
        do throws(PostgresError) {
            return try await body()
        } catch {
            var error = error.serviceError
            if error.code == .databaseUnavailable { error.retryable = true }
            throw error
        }
    }
}
