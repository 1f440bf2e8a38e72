import EventLoop
import Logging
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The loops of one process")
    struct LimitLaneTests {
        private static func request(_ user: UserID) -> ReservationRequest {
            ReservationRequest(
                completionID: CompletionID(randomUUID()), userID: user, sessionID: nil, promptTokens: 9, maxTokens: 1, model: "m")
        }

        /// Runs `body` with the limiter of a loop that hands over to the replica's.
        private static func withSecondLoop(
            _ database: LimitsDatabase, _ first: Replica, _ body: @escaping @Sendable (RateLimiter) async throws -> Void
        ) async throws {
            let configuration = try database.configuration()
            try await withLoop { loop in
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
                try await body(RateLimiter(database: client, lane: first.lane, loop: loop, logger: logger))
                await client.close()
            }
        }

        @Test("reserve and settle together, and a slot is free for whoever asks after the settlement, on either loop")
        func twoLoops() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let first = try await Replica(database, plan: Plan(requestsPerMinute: 10_000, concurrentStreams: 1))
            try await Self.withSecondLoop(database, first) { second in
                for round in 0..<50 {
                    let request = Self.request(user)
                    guard case .admitted(let grant) = try await second.reserve(request) else {
                        Issue.record("refused in round \(round)")
                        return
                    }
                    let again = try await first.reserve(user)
                    #expect(again.refusal?.code == .concurrencyLimit)
                    #expect(grant.isShortOfSlots)
                    second.settle(
                        Settlement(
                            completionID: request.completionID, attempt: grant.attempt, awaitedBy: user,
                            usage: Usage(promptTokens: 9, completionTokens: 1, source: .exact, maxTokensApplied: 1),
                            outcome: .done))
                }
                // Whoever waits for the settlements of the lane waits for those that other loops have handed over.
                await second.drain(.seconds(5))
                #expect(second.backlog == 0)
            }
            #expect(try await first.settled())
            #expect(try database.bills() == 50)
            #expect(try database.inFlight(user) == 0)
        }

        @Test("a loop that is drained leaves the lane to the others; the lane's own ends it, after what was handed over")
        func drain() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let first = try await Replica(database)
            try await Self.withSecondLoop(database, first) { second in
                let request = Self.request(user)
                guard case .admitted(let grant) = try await second.reserve(request) else {
                    Issue.record("refused")
                    return
                }
                second.settle(
                    Settlement(
                        completionID: request.completionID, attempt: grant.attempt,
                        usage: Usage(promptTokens: 9, completionTokens: 1, source: .exact, maxTokensApplied: 1), outcome: .done))
                await second.drain(.seconds(5))
                try await first.onLimiter { await $0.drain(.seconds(5)) }
                #expect(try database.bills() == 1)
                await #expect(throws: ServiceError.self) { try await second.reserve(Self.request(user)) }
            }
        }

        @Test("a rehearsal admits and settles, and leaves nothing behind")
        func rehearsal() async throws {
            let database = try LimitsDatabase()
            let server = try await StoreOnLoop(database) { $0 }
            let before = try Self.rows(database)
            let verdict = try await server.on { try await $0.execute(LimitStatements.rehearse).string(0, 0) }
            #expect(verdict == "admitted")
            #expect(try Self.rows(database) == before)
        }

        private static func rows(_ database: LimitsDatabase) throws -> [[String?]] {
            try database.run(
                "select (select count(*) from users), (select count(*) from usage), sum(day_tokens), count(*) from buckets")
        }
    }
}
