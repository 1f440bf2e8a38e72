package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// Turns an API key into who calls, for one loop. What the process knows is answered at once; for the rest the database is asked, once for
/// any number of requests with the same key, and only as often as a stranger's place has look-ups left.
///
/// It also notes when keys are used: a statement now and then for all of them.
package final class APIKeyVerifier {
    /// Keys that are looked up at the same time.
    private static let highestFlights = 64
    private static let notingInterval = Duration.seconds(10)
    /// Keys whose use is noted in one statement.
    private static let notingBatch = 1_000

    private let database: PostgresClient
    private let cache: APIKeyCache
    private let revoked: RevokedSessions
    private let io: LoopIO
    private let logger: Logger
    private var flights: [APIKeyID: [UnsafeContinuation<Result<APIKeyCache.Finding, ServiceError>?, Never>]] = [:]
    private var limit = UnknownKeyLimit()
    /// When each key was used that this has not been noted of yet.
    private var uses: [APIKeyID: Int64] = [:]
    private var isClosed = false

    /// - Parameters:
    ///   - cache: shared by all loops, as `revoked` is, which is told of revoked keys too.
    package init(database: PostgresClient, cache: APIKeyCache, revoked: RevokedSessions, io: LoopIO, logger: Logger) {
        self.database = database
        self.cache = cache
        self.revoked = revoked
        self.io = io
        self.logger = logger
    }

    /// Who calls, if the process knows; nil where ``load(_:from:)`` has to find out.
    /// - Throws: `token_invalid` where the key is known to be none.
    package func known(_ key: APIKeyText) throws(ServiceError) -> Principal? {
        // First, so that nothing that is remembered stands against it.
        guard !revoked.contains(SessionID(key.id.uuid)) else { throw Self.refusal }
        switch cache.find(key, now: now) {
        case .principal(let principal):
            uses[key.id] = now
            return principal
        case .refused: throw Self.refusal
        case .unknown: return nil
        }
    }

    /// Who calls, as the database knows.
    /// - Parameter origin: the client's address, for the limit on keys that are none.
    /// - Throws: `token_invalid`; `too_many_attempts`, `overloaded` or `database_unavailable`, with the time to wait.
    package func load(_ key: APIKeyText, from origin: AuditOrigin) async throws(ServiceError) -> Principal {
        let place = origin.place ?? ""
        if flights[key.id] == nil {
            if let wait = limit.take(place, now: io.now) {
                throw ServiceError(.tooManyAttempts, retryAfter: .milliseconds(wait), cause: "keys that are none")
            }
            guard flights.count < Self.highestFlights else { throw ServiceError(.overloaded, retryAfter: .seconds(1)) }
            flights[key.id] = []
            let found = await ask(key)
            if case .failure = found { limit.giveBack(place, now: io.now) }
            if case .success(.principal) = found { limit.giveBack(place, now: io.now) }
            for waiting in flights.removeValue(forKey: key.id) ?? [] { waiting.resume(returning: found) }
            _ = try found.get()
        } else {
            // The flight may end before this comes to wait for it.
            let found = await withUnsafeContinuation { continuation in
                if flights[key.id]?.append(continuation) == nil { continuation.resume(returning: nil) }
            }
            guard let found else { return try await load(key, from: origin) }
            _ = try found.get()
        }
        // Whoever waited may have come with another secret, and the key may have been revoked meanwhile.
        guard let principal = try known(key) else { throw Self.refusal }
        return principal
    }

    /// Notes uses until closed.
    package func run() async {
        while !isClosed {
            await io.pause(Self.notingInterval)
            await noteUses()
        }
    }

    /// Ends ``run()``, and notes what is left.
    package func close() async {
        isClosed = true
        await noteUses()
    }

    private static var refusal: ServiceError {
        ServiceError(.tokenInvalid, "There is no such API key: it is wrong, revoked or expired")
    }

    /// Monotonic milliseconds, the same for all loops.
    private var now: Int64 { SystemClock.monotonicNanoseconds() / 1_000_000 }

    /// Asks the database, and has the process know.
    private func ask(_ key: APIKeyText) async -> Result<APIKeyCache.Finding, ServiceError> {
        do throws(PostgresError) {
            let result = try await database.execute(APIKeyStatements.find, [.uuid(key.id.uuid)])
            if result.isEmpty {
                cache.insertAbsent(key.id, now: now)
                return .success(.refused)
            }
            let hash = try result.bytes(0, 1)
            let scopes = try result.string(0, 2).split(separator: " ").compactMap { Scope(rawValue: String($0)) }
            let grant = APIKeyGrant(id: key.id, scopes: Set(scopes), isLimited: try result.bool(0, 3))
            let principal = Principal(userID: UserID(try result.uuid(0, 0)), sessionID: nil, purpose: .key(grant))
            cache.insert(key.id, principal, hash: hash, left: try result.intIfPresent(0, 4), now: now)
            return .success(key.matches(hash) ? .principal(principal) : .refused)
        } catch {
            return .failure(error.serviceError)
        }
    }

    private func noteUses() async {
        while !uses.isEmpty {
            let batch = Array(uses.prefix(Self.notingBatch))
            for (id, _) in batch { uses[id] = nil }
            let now = now
            let values: [PostgresValue] = [
                .uuidArray(batch.map { $0.key.uuid }), .intArray(batch.map { max(0, now - $0.value) * 1_000 }),
            ]
            do throws(PostgresError) {
                _ = try await database.execute(APIKeyStatements.noteUses, values, lane: .slow, deadline: .seconds(5))
            } catch {
                // They will be used again.
                logger.warning("uses of API keys not noted", metadata: ["error": "\(error)"])
                return
            }
        }
    }
}
