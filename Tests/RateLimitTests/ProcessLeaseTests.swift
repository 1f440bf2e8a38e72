import PlaygroundCore
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The lease of a process")
    struct ProcessLeaseTests {
        /// Lets the lease of a process run out, as if it had died a while ago with what it was running.
        private func kill(_ replica: Replica, _ database: LimitsDatabase) throws {
            try database.run("update processes set expires_at = now() - interval '1 second' where id = '\(replica.process)'")
            try database.run(
                "update reservations set created_at = now() - interval '31 seconds' where process_id = '\(replica.process)'")
        }

        /// Makes a process one that has renewed for long enough to call others dead.
        private func season(_ replica: Replica, _ database: LimitsDatabase) async throws {
            try await replica.onLease { try await $0.renew() }
            try database.run(
                "update processes set unbroken_since = now() - interval '31 seconds' where id = '\(replica.process)'")
        }

        @Test("lasts 30 seconds, and its renewal leaves no gap")
        func renewal() async throws {
            let database = try LimitsDatabase()
            let replica = try await Replica(database)
            try await replica.onLease { try await $0.renew() }
            let since = try database.value("select unbroken_since from processes")
            try database.run("update processes set expires_at = now() + interval '1 second'")
            try await replica.onLease { try await $0.renew() }
            #expect(try database.value("select unbroken_since from processes") == since)
            #expect(try database.value("select expires_at - now() between '25 s' and '30 s' from processes") == "t")
            try database.run("update processes set expires_at = now() - interval '1 second'")
            try await replica.onLease { try await $0.renew() }
            #expect(try database.value("select unbroken_since from processes") != since)
            try await replica.onLease { await $0.release() }
            #expect(try database.value("select count(*) from processes") == "0")
        }

        @Test("frees a dead process's slots and settles what it was known to have spent")
        func burial() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (dead, other) = (try await Replica(database), try await Replica(database))
            try await dead.onLease { try await $0.renew() }
            try await season(other, database)
            let first = try await dead.reserve(user, cost: 1_000)
            try database.freeze(user)
            let second = try await dead.reserve(user, cost: 1_000)
            let running = try await other.reserve(user, cost: 1_000)
            let before = try #require(try database.tokens(user))
            _ = try await dead.report([(first.id, 20, 22)], seconds: 2)
            #expect(try await other.onLease { try await $0.bury() } == 0)
            try kill(dead, database)
            #expect(try await other.onLease { try await $0.bury() } == 2)
            #expect(try database.inFlight(user) == 1)
            #expect(try database.tokens(user) == before + 2_000 - 42)
            let bills = try database.run(
                "select completion_id, prompt_tokens, completion_tokens, outcome from usage order by 2 desc")
            #expect(bills == [["\(first.id)", "20", "22", "process_lost"], ["\(second.id)", "0", "0", "process_lost"]])
            #expect(try database.value("select completion_id from reservations") == "\(running.id)")
        }

        @Test("that was itself interrupted calls nobody dead: after an outage all leases are old")
        func unseasoned() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (dead, other) = (try await Replica(database), try await Replica(database))
            #expect(try await dead.reserve(user).isAdmitted)
            try kill(dead, database)
            #expect(try await other.onLease { try await $0.bury() } == 0)
            try await other.onLease { try await $0.renew() }
            #expect(try await other.onLease { try await $0.bury() } == 0)
            try await season(other, database)
            #expect(try await other.onLease { try await $0.bury() } == 1)
        }

        @Test("is not needed for a reservation made just now: its process may be about to take one")
        func fresh() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (new, other) = (try await Replica(database), try await Replica(database))
            try await season(other, database)
            #expect(try await new.reserve(user).isAdmitted)
            #expect(try await other.onLease { try await $0.bury() } == 0)
            #expect(try database.inFlight(user) == 1)
        }

        @Test("lets several replicas bury the same process, and each completion is settled once")
        func together() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let plan = Plan(requestsPerMinute: 10_000, tokensPerMinute: 1_000_000, concurrentStreams: 1_000)
            let dead = try await Replica(database, plan: plan)
            #expect(try await dead.reserve(user).isAdmitted)
            try database.freeze(user)
            for _ in 1..<60 { #expect(try await dead.reserve(user).isAdmitted) }
            try database.run("update reservations set prompt_tokens = 7")
            let before = try #require(try database.tokens(user))
            let others = [try await Replica(database), try await Replica(database), try await Replica(database)]
            for other in others { try await season(other, database) }
            try kill(dead, database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for other in others { group.addTask { _ = try await other.onLease { try await $0.bury() } } }
                try await group.waitForAll()
            }
            #expect(try database.inFlight(user) == 0)
            #expect(try database.bills() == 60)
            #expect(try database.tokens(user) == before + 60 * 100 - 60 * 7)
        }

        @Test("that was only thought lost leaves the last word to its process: bill and bucket are put right, once")
        func lateWord() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (slow, other) = (try await Replica(database), try await Replica(database))
            try await season(other, database)
            let attempt = try await slow.reserve(user, cost: 1_000)
            try database.freeze(user)
            let before = try #require(try database.tokens(user))
            try kill(slow, database)
            #expect(try await other.onLease { try await $0.bury() } == 1)
            #expect(try database.tokens(user) == before + 1_000)
            for _ in 0..<2 {
                try await slow.settle(attempt.id, tokens: 300)
                #expect(try await slow.settled())
            }
            #expect(try database.tokens(user) == before + 700)
            #expect(try database.inFlight(user) == 0)
            #expect(try database.run("select prompt_tokens, outcome from usage") == [["300", "done"]])
        }

        @Test("that was only thought lost has the upstream's bucket put right as well")
        func lateWordOfUpstream() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (slow, other) = (try await Replica(database), try await Replica(database))
            try await season(other, database)
            try await slow.onLimiter { try await $0.declare(Plan(), upstreams: [UpstreamLimits(name: "u", tokensPerMinute: 10_000)]) }
            let level: () throws -> String? = {
                try database.value("select token_units / 60000000 from buckets where scope = upstream_scope('u')")
            }
            try database.run(
                """
                update buckets set at = now() + interval '1 day', token_units = 5000::bigint * 60000000
                where scope = upstream_scope('u')
                """)
            let request = ReservationRequest(
                completionID: CompletionID(randomUUID()), userID: user, sessionID: nil, promptTokens: 900, maxTokens: 100,
                model: "m", upstreams: LimitedUpstreams([(name: "u", hasLimits: true)]))
            guard case .admitted(let grant) = try await slow.onLimiter({ try await $0.reserve(request) }) else {
                Issue.record("not admitted")
                return
            }
            #expect(try level() == "4000")
            try kill(slow, database)
            #expect(try await other.onLease { try await $0.bury() } == 1)
            #expect(try level() == "5000")
            let usage = Usage(promptTokens: 250, completionTokens: 50, source: .exact, maxTokensApplied: 100)
            for _ in 0..<2 {
                try await slow.onLimiter {
                    $0.settle(
                        Settlement(
                            completionID: request.completionID, attempt: grant.attempt, usage: usage, outcome: .done, upstream: "u"))
                }
                #expect(try await slow.settled())
            }
            #expect(try level() == "4700")
        }

        @Test("is cleared away ten minutes after its end, when nothing of it is left")
        func tidy() async throws {
            let database = try LimitsDatabase()
            let replica = try await Replica(database)
            try await replica.onLease { try await $0.renew() }
            try await replica.onLease { try await $0.tidy() }
            #expect(try database.value("select count(*) from processes") == "1")
            try database.run("update processes set expires_at = now() - interval '11 minutes'")
            try await replica.onLease { try await $0.tidy() }
            #expect(try database.value("select count(*) from processes") == "0")
        }
    }
}
