import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

/// The suites that need PostgreSQL, one test after the other: each has several processes with connections of their own.
@Suite("Limits in PostgreSQL", .serialized)
enum DatabaseTests {}

typealias LimitsDatabase = SchemaDatabase

extension SchemaDatabase {
    /// A session that is live unless told otherwise.
    func makeSession(of user: UserID, revoked: Bool = false) throws -> SessionID {
        let session = SessionID(randomUUID())
        try run(
            """
            insert into sessions (id, user_id, key_id, token_hash, revoked_at)
            values ('\(session)', '\(user)', 'k', decode(repeat('00', 32), 'hex'), \(revoked ? "now()" : "null"))
            """)
        return session
    }

    /// Puts the user's row into the future: time stands still for it, and levels can be told to the unit.
    func freeze(_ user: UserID) throws {
        try run("update buckets set at = now() + interval '1 day' where scope = '\(user)'")
    }

    func inFlight(_ user: UserID) throws -> Int? {
        try value("select in_flight from buckets where scope = '\(user)'").flatMap { Int($0) }
    }

    /// Tokens in the user's bucket as last written.
    func tokens(_ user: UserID) throws -> Double? {
        try value("select token_units / 60000000.0 from buckets where scope = '\(user)'").flatMap { Double($0) }
    }

    /// Requests in the user's bucket as last written.
    func requests(_ user: UserID) throws -> Double? {
        try value("select request_units / 60000000.0 from buckets where scope = '\(user)'").flatMap { Double($0) }
    }

    func reservations() throws -> Int? { try value("select count(*) from reservations").flatMap { Int($0) } }
    func bills() throws -> Int? { try value("select count(*) from usage").flatMap { Int($0) } }
}

/// One process of several: a loop of its own with its own connections.
final class Replica: Sendable {
    let loop: EventLoop
    let process = ProcessID(randomUUID())
    let lane: LimitLane
    private let limiter: LoopBound<RateLimiter>
    private let lease: LoopBound<ProcessLease>
    private let ledger: LoopBound<CompletionLedger>
    private let client: LoopBound<PostgresClient>

    /// - Parameter plan: what its environment says of plan `default`, for all replicas; nil leaves what the schema begins with.
    init(_ database: LimitsDatabase, plan: Plan? = nil, deadline: Duration = .seconds(5)) async throws {
        let loop = EventLoop(name: "replica")
        loop.start()
        self.loop = loop
        let process = process
        let configuration = try database.configuration()
        (lane, limiter, lease, ledger, client) = try await loop.run { [configuration] loop in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
            let lane = LimitLane(database: client, process: process, loop: loop, logger: logger, deadline: deadline)
            let limiter = RateLimiter(database: client, lane: lane, loop: loop, logger: logger, deadline: deadline)
            if let plan { try await limiter.declare(plan, upstreams: []) }
            let lease = ProcessLease(database: client, process: process, io: loop.io, logger: logger)
            return (
                lane, LoopBound(limiter, on: loop), LoopBound(lease, on: loop),
                LoopBound(CompletionLedger(database: client), on: loop), LoopBound(client, on: loop)
            )
        }
    }

    deinit {
        loop.spawn { [client] loop in
            await client.value(on: loop).close()
            loop.stop()
        }
    }

    func onLimiter<Result: Sendable>(_ body: @escaping @Sendable (RateLimiter) async throws -> Result) async throws -> Result {
        let limiter = limiter
        return try await loop.run { loop in try await body(limiter.value(on: loop)) }
    }

    func onLease<Result: Sendable>(_ body: @escaping @Sendable (ProcessLease) async throws -> Result) async throws -> Result {
        let lease = lease
        return try await loop.run { loop in try await body(lease.value(on: loop)) }
    }

    func onLedger<Result: Sendable>(_ body: @escaping @Sendable (CompletionLedger) async throws -> Result) async throws -> Result
    {
        let ledger = ledger
        return try await loop.run { loop in try await body(ledger.value(on: loop)) }
    }

    func reserve(
        _ user: UserID, cost: Int = 100, id: CompletionID = CompletionID(randomUUID()), session: SessionID? = nil
    ) async throws -> Attempt {
        let request = ReservationRequest(
            completionID: id, userID: user, sessionID: session, promptTokens: cost - 1, maxTokens: 1, model: "m")
        return Attempt(request: request, admission: try await onLimiter { try await $0.reserve(request) })
    }

    /// Gives up an attempt, as if its answer had not come.
    func undo(_ request: ReservationRequest) async throws { try await onLimiter { $0.undo(request) } }

    func settle(
        _ id: CompletionID, tokens: Int, outcome: SettlementOutcome = .done, awaitedBy user: UserID? = nil
    ) async throws {
        let usage = Usage(promptTokens: tokens, completionTokens: 0, source: .exact, maxTokensApplied: 1)
        try await onLimiter {
            $0.settle(
                Settlement(completionID: id, awaitedBy: user, usage: usage, outcome: outcome, finishReason: "stop", model: nil))
        }
    }

    /// Reports completions that run with these prompt and completion tokens, second after second; whose end is asked for.
    func report(_ running: [(CompletionID, Int, Int)], seconds: Int) async throws -> [StopRequest] {
        try await onLimiter { limiter in
            var stops: [StopRequest] = []
            for _ in 0..<seconds {
                stops += await limiter.report(
                    running.map { id, prompt, completion in
                        (id, Usage(promptTokens: prompt, completionTokens: completion, source: .counted, maxTokensApplied: 1))
                    })
            }
            return stops
        }
    }

    /// Waits until nothing is left to write.
    func settled(within limit: Duration = .seconds(15)) async throws -> Bool {
        let io = try await loop.run { loop in LoopBound(loop.io, on: loop) }
        return try await loop.run { [limiter] loop in
            let limiter = limiter.value(on: loop)
            return await io.value(on: loop).wait(until: { limiter.backlog == 0 }, deadline: limit)
        }
    }
}

/// A reservation's id and what became of it.
struct Attempt: Sendable {
    let request: ReservationRequest
    let admission: Admission

    var id: CompletionID { request.completionID }

    var isAdmitted: Bool { if case .admitted = admission { true } else { false } }
    var refusal: ServiceError? { if case .refused(let error, _) = admission { error } else { nil } }
    var snapshot: BucketSnapshot? {
        switch admission {
        case .admitted(let grant): grant.snapshot
        case .refused(_, let snapshot): snapshot
        }
    }
}

extension RateLimiter {
    /// As ``reserve(_:decided:)``, for who waits.
    func reserve(_ request: ReservationRequest) async throws(ServiceError) -> Admission {
        try await withUnsafeContinuation { waiter in reserve(request) { waiter.resume(returning: $0) } }.get()
    }
}
