import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import Idempotency

/// A database with the schema, and a store on a loop of its own.
final class IdempotencyDatabase: Sendable {
    private let server: PostgresServer
    private let conninfo: String
    private let loop: EventLoop
    private let store: LoopBound<IdempotencyStore>
    private let client: LoopBound<PostgresClient>

    init() async throws {
        server = try .shared()
        conninfo = try server.freshDatabase()
        let directory = URL(filePath: #filePath).appending(path: "../../../Migrations").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }.sorted()
        for file in files {
            try server.run(try String(contentsOf: directory.appending(path: file), encoding: .utf8), in: conninfo)
        }
        let loop = EventLoop(name: "idempotency")
        loop.start()
        self.loop = loop
        let configuration = try PostgresConfiguration(conninfo)
        (store, client) = try await loop.run { loop in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
            return (LoopBound(IdempotencyStore(database: client), on: loop), LoopBound(client, on: loop))
        }
    }

    deinit {
        loop.spawn { [client] loop in
            await client.value(on: loop).close()
            loop.stop()
        }
    }

    func on<Result: Sendable>(
        _ body: @escaping @Sendable (IdempotencyStore) async throws -> Result
    ) async throws -> Result {
        let store = store
        return try await loop.run { loop in try await body(store.value(on: loop)) }
    }

    /// A new attempt at a request.
    func attempt(_ request: IdempotentRequest, as attempt: AttemptID = .new()) async throws -> IdempotencyStore.Standing {
        try await on { try await $0.claim(request, attempt: attempt) }
    }

    /// The same where it has to be given the claim.
    func claim(_ request: IdempotentRequest, as attempt: AttemptID = .new()) async throws -> IdempotencyClaim {
        guard case .claimed(let claim) = try await self.attempt(request, as: attempt) else { throw TestFailure("no claim") }
        return claim
    }

    /// The process of the running attempt was killed, and its lease is over.
    func endLease(of request: IdempotentRequest) throws {
        try run("update idempotency_keys set lease_ends_at = now() where key = '\(request.key.text)'")
    }

    func makeUser() throws -> UserID {
        let user = UserID(AttemptID.new().uuid)
        try run("insert into users (id, email) values ('\(user)', '\(user)@example.com')")
        return user
    }

    @discardableResult
    func run(_ sql: String) throws -> [[String?]] { try server.run(sql, in: conninfo) }

    /// How many keys there are.
    func count() throws -> String? { try run("select count(*) from idempotency_keys")[0][0] }
}

extension AttemptID {
    static func new() -> AttemptID {
        AttemptID(.v7(milliseconds: 0, random: (.random(in: 0...UInt64.max), .random(in: 0...UInt64.max))))
    }
}

extension IdempotentRequest {
    init(_ owner: UserID, _ key: String = "key", route: String = "POST /things", body: String = "{}") throws {
        self.init(
            owner: owner, route: route, key: try IdempotencyKey(key), digest: SHA256Digest(of: Array(body.utf8).span))
    }
}
