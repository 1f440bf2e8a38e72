import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import Auth

extension SchemaDatabase {
    /// A user, made without hashing anything.
    func user(_ email: String = "ann@example.org", hash: String? = nil) throws -> User {
        let id = UserID(try SecureRandom.uuid())
        try run("insert into users (id, email, password_hash) values ('\(id)', '\(email)', \(hash.map { "'\($0)'" } ?? "null"))")
        return User(id: id, email: email, plan: "default", createdAt: Timestamp(microseconds: 0))
    }
}

/// One process as far as accounts go: a loop with its connections, and a set of revoked sessions.
final class Replica: Sendable {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let loop = EventLoop(name: "replica")
    let revoked = RevokedSessions()
    let keys: KeyRing
    private let configuration: PostgresConfiguration
    private let service: LoopBound<AccountService>
    private let database: LoopBound<PostgresClient>

    /// - Parameter isOperator: whether it is none that serves, but a command of the operator's.
    init(
        _ database: SchemaDatabase, keys: KeyRing, hasher: PasswordHasher = PasswordHasher(), isOpen: Bool = true,
        isOperator: Bool = false
    ) async throws {
        let configuration = isOperator ? try PostgresConfiguration(database.owner) : try database.configuration()
        let revoked = revoked
        loop.start()
        let parts = try await loop.run { loop in
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: Self.logger)
            let service = AccountService(
                database: client, keys: SessionKeys(keys), hasher: hasher, revoked: revoked, isRegistrationOpen: isOpen,
                now: SystemClock.microseconds)
            return (LoopBound(service, on: loop), LoopBound(client, on: loop))
        }
        (service, self.database) = parts
        self.keys = keys
        self.configuration = configuration
    }

    deinit { loop.stop() }

    /// Does something with the accounts, on their loop.
    @discardableResult
    func accounts<Value: Sendable>(
        _ body: @escaping @Sendable (AccountService) async throws -> Value
    ) async throws -> Value {
        let service = service
        return try await loop.run { loop in try await body(service.value(on: loop)) }
    }

    /// Does something over the replica's connection.
    func withDatabase<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresClient) async throws -> Value
    ) async throws -> Value {
        let database = database
        return try await loop.run { loop in try await body(database.value(on: loop)) }
    }

    /// What keeps this replica's set of revoked sessions current.
    struct Feed {
        let feed: RevocationFeed
        let listener: PostgresListener
    }

    /// Begins to hear of revoked sessions; the feed to stop.
    func startFeed() async throws -> LoopBound<Feed> {
        let (configuration, revoked, database) = (configuration, revoked, database)
        return try await loop.run { loop in
            let feed = RevocationFeed(
                database: database.value(on: loop), revoked: revoked, io: loop.io, logger: Self.logger,
                now: SystemClock.microseconds)
            let listener = PostgresListener(
                configuration: configuration, subscriptions: [feed.subscription], io: loop.io, logger: Self.logger)
            let bound = LoopBound(Feed(feed: feed, listener: listener), on: loop)
            loop.spawn { loop in await bound.value(on: loop).feed.run() }
            return bound
        }
    }

    func stop(_ bound: LoopBound<Feed>) async throws {
        try await loop.run { loop in
            let parts = bound.value(on: loop)
            parts.feed.stop()
            parts.listener.close()
        }
    }

    func refresh(_ token: String) async throws -> IssuedSession { try await accounts { try await $0.refresh(token) } }

    /// The code of the refusal; nil where the token was taken.
    func refusal(_ token: String) async throws -> ErrorCode? {
        do {
            _ = try await refresh(token)
            return nil
        } catch let error as ServiceError {
            return error.code
        }
    }
}
