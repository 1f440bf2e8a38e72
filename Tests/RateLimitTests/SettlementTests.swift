import EventLoop
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("Settlements, against PostgreSQL")
    struct SettlementTests {
        @Test("give back what was not used, free the slot and write one bill")
        func refund() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user, cost: 1_000)
            try database.freeze(user)
            let usage = Usage(promptTokens: 10, completionTokens: 32, source: .counted, maxTokensApplied: 500)
            try await replica.onLimiter {
                $0.settle(
                    Settlement(completionID: attempt.id, usage: usage, outcome: .clientGone, finishReason: nil, model: "m-1"))
            }
            #expect(try await replica.settled())
            #expect(try database.tokens(user) == 90_000 - 42)
            #expect(try database.requests(user) == 59)
            #expect(try database.inFlight(user) == 0)
            #expect(try database.reservations() == 0)
            let bill = try database.run(
                "select completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, finish_reason, "
                    + "finished_at >= started_at from usage")
            #expect(bill == [["\(attempt.id)", "\(user)", "m-1", nil, "10", "32", "counted", "client_gone", nil, "t"]])
        }

        @Test("change nothing when they come a second time, from wherever")
        func twice() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (replica, other) = (try await Replica(database), try await Replica(database))
            let attempt = try await replica.reserve(user, cost: 1_000)
            try database.freeze(user)
            for from in [replica, other, replica] {
                try await from.settle(attempt.id, tokens: from === other ? 900 : 100)
                #expect(try await from.settled())
            }
            #expect(try database.tokens(user) == 89_900)
            #expect(try database.inFlight(user) == 0)
            #expect(try database.value("select prompt_tokens from usage") == "100")
        }

        @Test("drive the bucket below zero where more was used than reserved")
        func debt() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(tokensPerMinute: 6_000))
            let attempt = try await replica.reserve(user, cost: 6_000)
            try database.run("update buckets set token_units = 0")
            try database.freeze(user)
            try await replica.settle(attempt.id, tokens: 6_500)
            #expect(try await replica.settled())
            #expect(try database.tokens(user) == -500)
            let refused = try await replica.reserve(user, cost: 100)
            #expect(refused.refusal?.retryAfter == .seconds(6))
            #expect(refused.snapshot?.tokens?.remaining == 0)
        }

        @Test("never fill a bucket above its capacity")
        func capacity() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user, cost: 1_000)
            // As if the bucket had refilled while the completion ran.
            try database.run("update buckets set token_units = 90000 * 60000000::bigint")
            try await replica.settle(attempt.id, tokens: 0)
            #expect(try await replica.settled())
            #expect(try database.tokens(user) == 90_000)
        }

        @Test("of nonsense from an upstream are billed at a bound, and hold up nothing")
        func nonsense() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user)
            let usage = Usage(promptTokens: .max, completionTokens: -5, source: .exact, maxTokensApplied: 1)
            try await replica.onLimiter {
                $0.settle(
                    Settlement(completionID: attempt.id, usage: usage, outcome: .done, finishReason: "st\0op", model: "a\0b"))
            }
            #expect(try await replica.settled())
            let bill = try database.run("select prompt_tokens, completion_tokens, finish_reason, model from usage")
            #expect(bill == [["500000000", "0", "stop", "ab"]])
            #expect(try database.inFlight(user) == 0)
        }

        @Test("of a completion that nobody knows are given up, and hold up nothing")
        func unknown() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user)
            try await replica.settle(CompletionID(randomUUID()), tokens: 1)
            try await replica.settle(attempt.id, tokens: 1)
            #expect(try await replica.settled())
            #expect(try database.bills() == 1)
        }

        @Test("are written though attempts cannot be undone, and these are undone once that is possible")
        func besideVoids() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let (settled, undone) = (try await replica.reserve(user), try await replica.reserve(user))
            try database.run("alter function void_attempts(uuid[], uuid[], uuid[]) rename to void_attempts_away")
            try await replica.onLimiter { $0.undo(undone.request) }
            try await replica.settle(settled.id, tokens: 1)
            for _ in 0..<500 where try database.bills() == 0 {
                try await replica.loop.run { await $0.io.pause(.milliseconds(20)) }
            }
            #expect(try database.bills() == 1)
            #expect(try await replica.onLimiter { $0.backlog } == 1, "the attempt is kept")
            try database.run("alter function void_attempts_away(uuid[], uuid[], uuid[]) rename to void_attempts")
            #expect(try await replica.settled())
            #expect(try database.inFlight(user) == 0)
        }

        @Test("survive the database: it is killed, started again, and gets all of them once")
        func outage() async throws {
            let server = try PostgresServer()
            let database = try LimitsDatabase(server: server)
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(concurrentStreams: 100))
            var ids: [CompletionID] = []
            for _ in 0..<20 { ids.append(try await replica.reserve(user).id) }
            // The server runs without durability: what has to survive the kill is written out first.
            try database.run("checkpoint")
            try server.kill()
            for id in ids { try await replica.settle(id, tokens: 10) }
            #expect(try await replica.onLimiter { $0.backlog } == 20)
            let clock = ContinuousClock()
            let start = clock.now
            await #expect(throws: ServiceError.self) { try await replica.reserve(user) }
            #expect(clock.now - start < .seconds(6))
            try server.start()
            #expect(try await replica.settled(within: .seconds(30)))
            #expect(try database.bills() == 20)
            #expect(try database.inFlight(user) == 0)
            #expect(try database.reservations() == 0)
            try server.remove()
        }

        @Test("are all written when the process drains, and a drain does not wait for ever")
        func drain() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, plan: Plan(concurrentStreams: 100))
            for _ in 0..<10 {
                let attempt = try await replica.reserve(user)
                try await replica.settle(attempt.id, tokens: 10)
            }
            try await replica.onLimiter { await $0.drain(.seconds(10)) }
            #expect(try database.bills() == 10)

            let stuck = try await Replica(database)
            let attempt = try await stuck.reserve(user)
            let holder = try BlockingConnection(PostgresConfiguration(database.superuser))
            try holder.run("begin; lock table buckets in access exclusive mode")
            try await stuck.settle(attempt.id, tokens: 10)
            try await stuck.onLimiter { await $0.drain(.milliseconds(200)) }
            try holder.run("rollback")
        }
    }

    @Suite("An admission whose answer does not come")
    struct LostAdmissionTests {
        @Test("is a 503 within its deadline, and is undone although the database admits it later")
        func blocked() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database, deadline: .seconds(1))
            let first = try await replica.reserve(user)
            try database.freeze(user)
            let before = try #require(try database.tokens(user))
            // The reservation waits for the user's row; nothing else is in the way.
            let holder = try BlockingConnection(PostgresConfiguration(database.superuser))
            try holder.run("begin; select from buckets for update")
            let id = CompletionID(randomUUID())
            let clock = ContinuousClock()
            let start = clock.now
            let error = await #expect(throws: ServiceError.self) { try await replica.reserve(user, id: id) }
            #expect(error?.code == .databaseUnavailable)
            #expect((.milliseconds(900) ... .milliseconds(1_500)).contains(clock.now - start))
            try holder.run("commit")
            #expect(try await replica.settled())
            try await replica.settle(first.id, tokens: 100)
            #expect(try await replica.settled())
            #expect(try database.inFlight(user) == 0)
            #expect(try database.tokens(user) == before)
            #expect(try database.value("select count(*) from reservations") == "0")
        }

        private static func request(_ user: UserID, _ id: CompletionID = CompletionID(randomUUID())) -> ReservationRequest {
            ReservationRequest(completionID: id, userID: user, sessionID: nil, promptTokens: 99, maxTokens: 1, model: "m")
        }

        @Test("is undone, whichever of the two gets the user's row first")
        func overtaken() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (replica, other) = (try await Replica(database), try await Replica(database))
            #expect(try await replica.reserve(user).isAdmitted)
            try database.freeze(user)
            let before = try #require(try database.tokens(user))
            let holder = try BlockingConnection(PostgresConfiguration(database.superuser))
            try holder.run("begin; select from buckets for update")
            let request = Self.request(user)
            async let late = replica.onLimiter { try await $0.reserve(request) }
            let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            let isBlocked: @Sendable (String) async throws -> Bool = { count in
                try await withLoop { loop in
                    await loop.io.wait(until: { (try? database.value(waiting)) == count }, deadline: .seconds(4))
                }
            }
            #expect(try await isBlocked("1"))
            try await other.undo(request)
            #expect(try await isBlocked("2"))
            try holder.run("commit")
            _ = try? await late
            #expect(try await other.settled())
            #expect(try database.inFlight(user) == 1)
            #expect(try database.tokens(user) == before)
            #expect(try database.bills() == 0)
        }

        @Test("is undone where the database had admitted it already: slot, tokens and request come back, and nothing is billed")
        func committed() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            #expect(try await replica.reserve(user).isAdmitted)
            try database.freeze(user)
            let attempt = try await replica.reserve(user, cost: 500)
            #expect(try database.requests(user) == 58)
            try await replica.undo(attempt.request)
            #expect(try await replica.settled())
            #expect(try database.inFlight(user) == 1)
            #expect(try database.tokens(user) == 89_900)
            #expect(try database.requests(user) == 59)
            #expect(try database.bills() == 0)
        }

        @Test("cannot be admitted after it was undone, while another attempt under the same id can")
        func tombstone() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let request = Self.request(user)
            try await replica.undo(request)
            #expect(try await replica.settled())
            await #expect(throws: ServiceError.self) { try await replica.onLimiter { try await $0.reserve(request) } }
            #expect(try database.inFlight(user) == 0)
            #expect(try await replica.reserve(user, id: request.completionID).isAdmitted)
            // Once no statement can be that late any more, the mark goes.
            try database.run("update voided_attempts set voided_at = now() - interval '11 minutes'")
            try await replica.onLease { try await $0.tidy() }
            #expect(try database.value("select count(*) from voided_attempts") == "0")
        }

        @Test("leaves alone what runs under the same id by another attempt, be it of its user or of somebody else")
        func otherAttempt() async throws {
            let database = try LimitsDatabase()
            let (user, stranger) = (try database.makeUser(), try database.makeUser())
            let (replica, other) = (try await Replica(database), try await Replica(database))
            let running = try await replica.reserve(user)
            try await other.undo(Self.request(user, running.id))
            try await other.undo(Self.request(stranger, running.id))
            #expect(try await other.settled())
            #expect(try database.inFlight(user) == 1)
            try await replica.settle(running.id, tokens: 7)
            #expect(try await replica.settled())
            #expect(try database.value("select prompt_tokens from usage where completion_id = '\(running.id)'") == "7")
        }

        @Test("does not stand in the way of the settlement of a later attempt that the same process runs")
        func laterAttempt() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let id = CompletionID(randomUUID())
            let first = Self.request(user, id)
            let second = try await replica.reserve(user, id: id)
            try await replica.undo(first)
            try await replica.settle(second.id, tokens: 9)
            #expect(try await replica.settled())
            #expect(try database.bills() == 1)
            #expect(try database.inFlight(user) == 0)
        }
    }
}
