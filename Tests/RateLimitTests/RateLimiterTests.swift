import EventLoop
import PlaygroundCore
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The limiter, against PostgreSQL")
    struct RateLimiterTests {
        @Test("makes a user's row with the first reservation and takes request, tokens and slot from it")
        func first() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user, cost: 1_000)
            #expect(attempt.isAdmitted)
            let snapshot = try #require(attempt.snapshot)
            #expect(snapshot.requests?.limit == 60)
            #expect(snapshot.requests?.remaining == 59)
            #expect(snapshot.tokens?.limit == 90_000)
            #expect((89_000...89_999).contains(snapshot.tokens?.remaining ?? 0))
            #expect(try database.inFlight(user) == 1)
            #expect(try database.reservations() == 1)
        }

        @Test("refuses with the exact wait, and a refusal writes nothing")
        func refusal() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(tokensPerMinute: 6_000))
            #expect(try await replica.reserve(user, cost: 6_000).isAdmitted)
            try database.run("update buckets set token_units = 0")
            try database.freeze(user)
            let before = try database.run("select xmin, xmax, ctid, * from buckets")
            let refused = try await replica.reserve(user, cost: 250)
            #expect(refused.refusal?.code == .rateLimitExceeded)
            #expect(refused.refusal?.retryAfter == .milliseconds(2_500))
            #expect(refused.snapshot?.tokens?.remaining == 0)
            #expect(refused.snapshot?.tokens?.reset == .seconds(60))
            let large = try await replica.reserve(user, cost: 6_001)
            #expect(large.refusal?.code == .requestExceedsPlan)
            #expect(large.refusal?.retryable == false)
            #expect(try database.run("select xmin, xmax, ctid, * from buckets") == before)
            #expect(try database.reservations() == 1)
        }

        @Test("admits after the wait that it told")
        func retryAfter() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(tokensPerMinute: 60_000))
            #expect(try await replica.reserve(user, cost: 60_000).isAdmitted)
            let refused = try await replica.reserve(user, cost: 200)
            let wait = try #require(refused.refusal?.retryAfter)
            #expect(wait <= .milliseconds(200))
            // The wait belongs to what is promised; the loop's own timer keeps it.
            try await replica.loop.run { loop in await loop.io.pause(wait) }
            #expect(try await replica.reserve(user, cost: 200).isAdmitted)
        }

        @Test("gives a stream's slot to the next one as soon as it is settled")
        func concurrency() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(concurrentStreams: 2))
            let first = try await replica.reserve(user)
            #expect(try await replica.reserve(user).isAdmitted)
            let refused = try await replica.reserve(user)
            #expect(refused.refusal?.code == .concurrencyLimit)
            #expect(refused.refusal?.retryAfter == .seconds(1))
            #expect(refused.snapshot != nil)
            try await replica.settle(first.id, tokens: 10)
            #expect(try await replica.settled())
            #expect(try await replica.reserve(user).isAdmitted)
        }

        @Test("refuses a session that is revoked, missing or somebody else's, and admits one that is live")
        func sessions() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let other = try database.makeUser()
            let replica = try await Replica(database)
            let revoked = try database.makeSession(of: user, revoked: true)
            let foreign = try database.makeSession(of: other)
            for session in [revoked, foreign, SessionID(randomUUID())] {
                #expect(try await replica.reserve(user, session: session).refusal?.code == .sessionRevoked)
            }
            #expect(try database.reservations() == 0)
            #expect(try await replica.reserve(user, session: database.makeSession(of: user)).isAdmitted)
        }

        @Test("refuses a user that does not exist, and makes no row for it")
        func unknownUser() async throws {
            let database = try LimitsDatabase()
            let replica = try await Replica(database)
            #expect(try await replica.reserve(UserID(randomUUID())).refusal?.code == .tokenInvalid)
            #expect(try database.value("select count(*) from buckets") == "1", "the instance has one")
        }

        @Test("refuses an id that is running, and one that is settled, and charges neither")
        func repeatedID() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let first = try await replica.reserve(user)
            #expect(try await replica.reserve(user, id: first.id).refusal?.code == .completionIDConflict)
            try await replica.settle(first.id, tokens: 100)
            #expect(try await replica.settled())
            let again = try await replica.reserve(user, id: first.id)
            #expect(again.refusal?.code == .completionIDConflict)
            #expect(again.snapshot != nil)
            #expect(try database.inFlight(user) == 0)
        }

        @Test("takes one request and no tokens for an invalid request, and writes nothing when there is none left")
        func invalidRequest() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(requestsPerMinute: 3))
            for left in [2, 1, 0] {
                let snapshot = try await replica.onLimiter { await $0.charge(invalidRequestOf: user) }
                #expect(snapshot?.requests?.remaining == left)
                #expect(snapshot?.tokens?.remaining == 90_000)
                try database.freeze(user)
            }
            let before = try database.run("select xmin, xmax, ctid, * from buckets")
            #expect(try await replica.onLimiter { await $0.charge(invalidRequestOf: user) }?.requests?.remaining == 0)
            #expect(try database.run("select xmin, xmax, ctid, * from buckets") == before)
            #expect(try await replica.reserve(user).refusal?.code == .rateLimitExceeded)
        }

        @Test("takes a clock that steps back for one that stands still")
        func clock() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let first = try await replica.reserve(user, cost: 1_000)
            try database.freeze(user)
            let at = try database.value("select at from buckets")
            let level = try #require(try database.tokens(user))
            let second = try await replica.reserve(user, cost: 1_000)
            try await replica.settle(first.id, tokens: 1_000)
            #expect(try await replica.settled())
            #expect(second.isAdmitted)
            #expect(try database.tokens(user) == level - 1_000)
            #expect(try database.value("select at from buckets") == at)
        }

        @Test("lowers what is there to a plan that has become smaller")
        func smallerPlan() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let large = try await Replica(database)
            #expect(try await large.reserve(user).isAdmitted)
            let small = try await Replica(database, plan: Plan(requestsPerMinute: 10, tokensPerMinute: 1_000))
            let snapshot = try #require(try await small.reserve(user).snapshot)
            #expect(snapshot.requests?.remaining == 9)
            #expect(snapshot.tokens?.remaining == 900)
        }
    }
}
