package import PlaygroundCore
package import Postgres
package import StrictJSON

/// A program's key, as its owner sees it after it was made.
package struct APIKey: Sendable, Equatable, JSONWritable {
    package let id: APIKeyID
    package let name: String
    package let scopes: [Scope]
    /// A limit of its own, under that of the plan.
    package let requestsPerMinute: Int64?
    package let createdAt: Timestamp
    /// Nil: never.
    package let expiresAt: Timestamp?
    /// To the minute, and some seconds late; nil: never.
    package let lastUsedAt: Timestamp?

    package func write(to writer: inout JSONWriter) { writer.object { writeMembers(to: &$0) } }

    /// Writes the key as members of the object that is open.
    package func writeMembers(to writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("name", name)
        writer.member("prefix", APIKeyText.name(of: id))
        writer.member("scopes") { writer in writer.array { writer in for scope in scopes { writer.string(scope.rawValue) } } }
        writer.member("requests_per_minute", requestsPerMinute)
        writer.member("created_at", createdAt)
        writer.member("expires_at", expiresAt)
        writer.member("last_used_at", lastUsedAt)
    }
}

/// The keys of users, as one loop serves them: making, listing, revoking. Belongs to its loop.
package final class APIKeyBook {
    private let database: PostgresClient
    private let audit: AuditLog
    private let revoked: RevokedSessions
    private let now: WallClock

    /// - Parameters:
    ///   - revoked: is told of a key at once that is revoked here.
    ///   - now: microseconds since 1970.
    package init(database: PostgresClient, audit: AuditLog, revoked: RevokedSessions, now: @escaping WallClock) {
        self.database = database
        self.audit = audit
        self.revoked = revoked
        self.now = now
    }

    /// Makes a key. Its text is nowhere but in the answer.
    /// - Throws: `invalid_request` for `expires_at`; `key_limit_reached`; `session_revoked` where the owner is gone;
    ///   `database_unavailable`.
    package func create(
        _ draft: APIKeyDraft, of owner: UserID, from origin: AuditOrigin
    ) async throws(ServiceError) -> (key: APIKey, text: Secret) {
        let random = try SecureRandom.uuid()
        let id = APIKeyID.v7(milliseconds: now() / 1_000, random: (random.high, random.low))
        let (text, key) = try APIKeyText.make(id: id)
        let event = AuditEvent(.keyCreated, of: .user(owner), from: origin, detail: "key \(id)")
        let values: [PostgresValue] = [
            .uuid(owner.uuid), .uuid(id.uuid), .text(draft.name), .textArray(draft.scopes.map(\.rawValue)),
            .bytes(key.hash.bytes),
            .int(draft.requestsPerMinute), .text(draft.expiresAt?.description), .text(try audit.row(of: event)),
        ]
        let (verdict, createdAt) = try await run(APIKeyStatements.create, values, of: owner) { result throws(PostgresError) in
            (try result.string(0, 0), try result.intIfPresent(0, 1))
        }
        switch (verdict, createdAt) {
        case ("created", let createdAt?):
            audit.log(event)
            let key = APIKey(
                id: id, name: draft.name, scopes: draft.scopes, requestsPerMinute: draft.requestsPerMinute,
                createdAt: Timestamp(microseconds: createdAt), expiresAt: draft.expiresAt, lastUsedAt: nil)
            return (key, text)
        case ("expired", _):
            throw ServiceError(fields: [FieldError("expires_at", .outOfRange, "has to be in the future, and within ten years")])
        case ("too_many", _): throw ServiceError(.keyLimitReached)
        default: throw ServiceError(.sessionRevoked)
        }
    }

    /// All keys of a user, newest first: not many.
    package func keys(of owner: UserID) async throws(ServiceError) -> [APIKey] {
        try await run(APIKeyStatements.list, [.uuid(owner.uuid)], of: owner) { result throws(PostgresError) in
            var keys: [APIKey] = []
            for row in result.rows { keys.append(try APIKey(result, row: row)) }
            return keys
        }
    }

    /// - Throws: `not_found`, also for somebody else's.
    package func key(_ id: APIKeyID, of owner: UserID) async throws(ServiceError) -> APIKey {
        let values: [PostgresValue] = [.uuid(owner.uuid), .uuid(id.uuid)]
        let key = try await run(APIKeyStatements.read, values, of: owner) { result throws(PostgresError) in
            result.isEmpty ? nil : try APIKey(result, row: 0)
        }
        guard let key else { throw ServiceError(.notFound, "There is no such key") }
        return key
    }

    /// Revokes a key on every replica, and ends what runs with it.
    /// - Throws: `not_found`, also for somebody else's.
    package func revoke(_ id: APIKeyID, of owner: UserID, from origin: AuditOrigin) async throws(ServiceError) {
        let event = AuditEvent(.keyRevoked, of: .user(owner), from: origin, detail: "key \(id)")
        let values: [PostgresValue] = [.uuid(owner.uuid), .uuid(id.uuid), .text(try audit.row(of: event))]
        let isRevoked = try await run(APIKeyStatements.revoke, values, of: owner) { result throws(PostgresError) in
            try result.bool(0, 0)
        }
        guard isRevoked else { throw ServiceError(.notFound, "There is no such key") }
        audit.log(event)
        revoked.insert(SessionID(id.uuid), age: 0, now: now() / 1_000_000)
    }

    private func run<Value>(
        _ statement: PostgresStatement, _ values: [PostgresValue], of owner: UserID,
        _ read: (PostgresResult) throws(PostgresError) -> Value
    ) async throws(ServiceError) -> Value {
        do throws(PostgresError) {
            return try read(try await database.execute(statement, values, tenant: owner))
        } catch {
            throw error.serviceError
        }
    }
}

extension APIKey {
    fileprivate init(_ result: PostgresResult, row: Int) throws(PostgresError) {
        self.init(
            id: APIKeyID(try result.uuid(row, 0)), name: try result.string(row, 1),
            scopes: try result.string(row, 2).split(separator: " ").compactMap { Scope(rawValue: String($0)) },
            requestsPerMinute: try result.intIfPresent(row, 3), createdAt: Timestamp(microseconds: try result.int(row, 4)),
            expiresAt: try result.intIfPresent(row, 5).map { Timestamp(microseconds: $0) },
            lastUsedAt: try result.intIfPresent(row, 6).map { Timestamp(microseconds: $0) })
    }
}
