import PlaygroundCore
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The limiter over several processes")
    struct ConcurrencyTests {
        private func replicas(_ database: LimitsDatabase, plan: Plan) async throws -> [Replica] {
            var replicas: [Replica] = []
            for _ in 0..<3 { replicas.append(try await Replica(database, plan: plan)) }
            return replicas
        }

        /// Runs `body` at once for every number, spread over the replicas.
        private func all<Result: Sendable>(
            _ count: Int, _ replicas: [Replica], _ body: @escaping @Sendable (Int, Replica) async throws -> Result
        ) async throws -> [Result] {
            try await withThrowingTaskGroup(of: Result.self) { group in
                for number in 0..<count { group.addTask { try await body(number, replicas[number % replicas.count]) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }

        @Test("admits exactly four of 64 at once where four are allowed, on a row made in the same moment", arguments: 0..<5)
        func slots(round: Int) async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replicas = try await replicas(database, plan: Plan(requestsPerMinute: 1_000))
            let attempts = try await all(64, replicas) { _, replica in try await replica.reserve(user) }
            #expect(attempts.count { $0.isAdmitted } == 4)
            #expect(attempts.count { $0.refusal?.code == .concurrencyLimit } == 60)
            #expect(try database.inFlight(user) == 4)
            #expect(try database.reservations() == 4)
        }

        @Test("whoever has one slot, and asks one process after another as each answer ends, is not told of two")
        func successive() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replicas = try await replicas(database, plan: Plan(requestsPerMinute: 1_000, concurrentStreams: 1))
            var refusals = 0
            for round in 0..<30 {
                let replica = replicas[round % 3]
                var attempt = try await replica.reserve(user)
                while !attempt.isAdmitted {
                    #expect(attempt.refusal?.code == .concurrencyLimit)
                    refusals += 1
                    attempt = try await replica.reserve(user)
                }
                try await replica.settle(attempt.request.completionID, tokens: 1, awaitedBy: user)
            }
            // None, but for moments in which the machine stands still. Without a second look it is two of three.
            #expect(refusals < 10)
        }

        @Test("spends a full bucket to the last token and no further")
        func lastToken() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            // A rate so low that nothing to speak of comes back meanwhile.
            let plan = Plan(requestsPerMinute: 1_000, tokensPerMinute: 70, concurrentStreams: 1_000)
            let replicas = try await replicas(database, plan: plan)
            let first = try await replicas[0].reserve(user, cost: 10)
            #expect(first.isAdmitted)
            try database.freeze(user)
            let attempts = try await all(48, replicas) { _, replica in try await replica.reserve(user, cost: 10) }
            #expect(attempts.count { $0.isAdmitted } == 6)
            #expect(attempts.allSatisfy { $0.isAdmitted || $0.refusal?.code == .rateLimitExceeded })
            #expect(try database.tokens(user) == 0)
        }

        @Test("admits one of many requests under one id, and charges one")
        func sameID() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replicas = try await replicas(database, plan: Plan(concurrentStreams: 100))
            #expect(try await replicas[0].reserve(user).isAdmitted)
            try database.freeze(user)
            let before = try #require(try database.tokens(user))
            let id = CompletionID(randomUUID())
            let attempts = try await all(32, replicas) { _, replica in try await replica.reserve(user, id: id) }
            #expect(attempts.count { $0.isAdmitted } == 1)
            #expect(attempts.count { $0.refusal?.code == .completionIDConflict } == 31)
            #expect(try database.inFlight(user) == 2)
            #expect(try database.tokens(user) == before - 100)
        }

        @Test("in every window admits at most the burst and what the window refills: overshoot 0", arguments: 1...5)
        func windows(seed: UInt64) async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let plan = Plan(requestsPerMinute: 1_000_000, tokensPerMinute: 60_000, concurrentStreams: 1_000_000)
            let replicas = try await replicas(database, plan: plan)
            _ = try await all(600, replicas) { number, replica in
                var random = SplitMix(seed: seed * 1_000 + UInt64(number))
                return try await replica.reserve(user, cost: Int.random(in: 50...1_000, using: &random)).isAdmitted
            }
            let rows = try database.run(
                "select (extract(epoch from created_at) * 1000000)::bigint, reserved_tokens from reservations order by created_at"
            )
            let admitted = rows.map { (at: Int64($0[0] ?? "") ?? 0, tokens: Int64($0[1] ?? "") ?? 0) }
            // Enough to have met the limit.
            #expect(admitted.reduce(0) { $0 + $1.tokens } > 59_000)
            var overshoot = Int64.min
            for first in admitted.indices {
                var sum: Int64 = 0
                for last in first..<admitted.count {
                    sum += admitted[last].tokens
                    let allowed = 60_000 * TokenBucket.unitsPerToken + 60_000 * (admitted[last].at - admitted[first].at)
                    overshoot = max(overshoot, sum * TokenBucket.unitsPerToken - allowed)
                }
            }
            #expect(overshoot <= 0)
        }

        @Test("agrees with an independent ledger after a thousand completions of five users that end in every way")
        func ledger() async throws {
            let database = try LimitsDatabase()
            let plan = Plan(requestsPerMinute: 100_000, tokensPerMinute: 10_000_000, concurrentStreams: 2_000)
            let replicas = try await replicas(database, plan: plan)
            var users: [UserID] = []
            var before: [Double?] = []
            for _ in 0..<5 {
                let user = try database.makeUser()
                #expect(try await replicas[0].reserve(user, cost: 1_000_000).isAdmitted)
                try database.freeze(user)
                users.append(user)
                before.append(try database.tokens(user))
            }
            let spent = try await all(1_000, replicas) { [users] number, replica in
                try await Self.completion(number, of: users[number % 5], replica, replicas)
            }
            for replica in replicas { #expect(try await replica.settled()) }
            for (index, user) in users.enumerated() {
                let sum = spent.reduce(0) { $0 + ($1.user == user ? $1.tokens : 0) }
                #expect(try database.tokens(user) == before[index].map { $0 - Double(sum) })
                #expect(try database.inFlight(user) == 1)
                #expect(
                    try database.value("select sum(prompt_tokens + completion_tokens) from usage where user_id = '\(user)'")
                        == "\(sum)")
            }
            #expect(try database.bills() == 1_000)
        }

        /// Runs one completion to an end that depends on its number; what it spent.
        private static func completion(
            _ number: Int, of user: UserID, _ replica: Replica, _ replicas: [Replica]
        ) async throws -> (user: UserID, tokens: Int) {
            var random = SplitMix(seed: UInt64(number))
            let attempt = try await replica.reserve(user, cost: 500)
            guard attempt.isAdmitted else { return (user, 0) }
            if number % 7 == 0 { _ = try await replica.report([(attempt.id, 1, 2)], seconds: 2) }
            let tokens = Int.random(in: 0...900, using: &random)
            let outcome: SettlementOutcome = [.done, .stopped, .failed, .clientGone][number % 4]
            try await replica.settle(attempt.id, tokens: tokens, outcome: outcome)
            // A second word on the same completion, from here or from elsewhere, changes nothing.
            if number % 5 == 0 { try await replicas[number % 2].settle(attempt.id, tokens: tokens, outcome: outcome) }
            return (user, tokens)
        }
    }
}
