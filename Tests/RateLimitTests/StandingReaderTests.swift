import EventLoop
import Logging
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("How a user stands")
    struct StandingReaderTests {
        private func standing(of user: UserID, in database: LimitsDatabase) async throws -> UserStanding {
            try await withLoop { loop in
                let client = PostgresClient(
                    configuration: try database.configuration(), io: loop.io,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                do {
                    let standing = try await StandingReader(database: client).standing(of: user)
                    await client.close()
                    return standing
                } catch {
                    await client.close()
                    throw error
                }
            }
        }

        @Test("is told as of now: refilled, and on a new day, while nothing is written")
        func now() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            try database.run("update plans set tokens_per_day = 5000, tokens_per_month = 7000 where name = 'default'")
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user, cost: 1000)
            #expect(attempt.isAdmitted)
            // As if it had been a second and a half ago, at one request and 1,500 tokens a second.
            try database.run("update buckets set at = at - interval '1500 ms', token_units = token_units - 240000000000")
            let row = try database.run("select b::text from buckets b where scope = '\(user)'")
            let first = try await standing(of: user, in: database)
            #expect(first.plan == "default")
            #expect(first.inFlight == 1)
            #expect(first.buckets.requests?.remaining == 60)
            #expect(first.buckets.requests?.reset == .zero)
            let tokens = try #require(first.buckets.tokens)
            #expect((87_250...90_000).contains(tokens.remaining))
            #expect([first.day?.limit, first.day?.used, first.day?.remaining] == [5000, 1000, 4000])
            #expect([first.month?.limit, first.month?.used, first.month?.remaining] == [7000, 1000, 6000])
            #expect(try database.run("select b::text from buckets b where scope = '\(user)'") == row)

            try database.run("update buckets set day = day - 1")
            let next = try await standing(of: user, in: database)
            #expect([next.day?.used, next.month?.used] == [0, 1000])
            let ends = try database.run(
                """
                select (extract(epoch from (utc_day(now()) + 1)::timestamp at time zone 'UTC') * 1000000)::bigint,
                    (extract(epoch from (utc_month(now()) + interval '1 month') at time zone 'UTC') * 1000000)::bigint
                """)
            #expect([next.day, next.month].map { $0.map { "\($0.resetsAt.microseconds)" } } == ends[0])
        }

        @Test("has the plan's limits where nothing is overridden, and no limit where null is")
        func overrides() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            try database.run(
                """
                insert into plans (name, requests_per_minute, models) values ('odd', 7, array['a', 'b "c"']);
                update users set plan = 'odd',
                    overrides = '{"requests_per_minute": null, "concurrent_streams": 3, "tokens_per_day": 0}'
                """)
            let standing = try await standing(of: user, in: database)
            #expect(standing.plan == "odd")
            #expect(standing.limits.numbers == [.concurrentStreams: 3, .tokensPerDay: 0, .maxTokensDefault: 256])
            #expect(standing.limits.models == ["a", #"b "c""#])
            #expect(standing.buckets == BucketSnapshot(requests: nil, tokens: nil))
            #expect(standing.day?.remaining == 0)
            #expect(standing.month == nil)
        }

        @Test("a user who is gone has none")
        func gone() async throws {
            let database = try LimitsDatabase()
            await #expect(throws: ServiceError(.sessionRevoked)) {
                try await standing(of: UserID(randomUUID()), in: database)
            }
        }
    }
}
