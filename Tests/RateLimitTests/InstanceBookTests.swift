import EventLoop
import Logging
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The instance's budgets")
    struct InstanceBookTests {
        /// Later than any row that the schema begins with: a clock never moves back.
        private static let clock = "2036-05-15 12:00:00+00"

        private func withBook<Result: Sendable>(
            _ database: LimitsDatabase, _ body: @escaping @Sendable (InstanceBook) async throws -> Result
        ) async throws -> Result {
            try await withLoop { loop in
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let client = PostgresClient(
                    configuration: try PostgresConfiguration(database.owner), io: loop.io, logger: logger)
                do {
                    let result = try await body(InstanceBook(database: client))
                    await client.close()
                    return result
                } catch {
                    await client.close()
                    throw error
                }
            }
        }

        private static func changes(day: LimitChange<Int64>? = nil, month: LimitChange<Int64>? = nil) -> LimitChanges {
            var changes = LimitChanges()
            changes.numbers[.tokensPerDay] = day
            changes.numbers[.tokensPerMonth] = month
            return changes
        }

        @Test("begin with what this day and this month of UTC have spent, not with what was before")
        func calendar() async throws {
            let database = try LimitsDatabase()
            try database.run(
                """
                create or replace function limits_clock() returns timestamptz language sql volatile
                as $$ select '\(Self.clock)'::timestamptz $$
                """)
            let user = try database.makeUser()
            for (moment, tokens) in [
                ("2036-05-15 00:00:00+00", 1), ("2036-05-15 11:59:59+00", 20), ("2036-05-14 23:59:59.999999+00", 300),
                ("2036-05-01 00:00:00+00", 4000), ("2036-04-30 23:59:59.999999+00", 50_000), ("2035-05-15 12:00:00+00", 600_000),
            ] {
                try database.run(
                    """
                    insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                    values (gen_random_uuid(), '\(user)', 'm', \(tokens - 1), 1, 'exact', 'done', '\(moment)')
                    """)
            }
            // One runs since today, one since before midnight, and one since before the month.
            for (moment, tokens) in [
                ("2036-05-15 11:00:00+00", 100_000), ("2036-05-14 23:00:00+00", 200_000), ("2036-04-30 23:00:00+00", 400_000),
            ] {
                try database.run(
                    """
                    insert into reservations (completion_id, user_id, process_id, reserved_tokens, model, created_at)
                    values (gen_random_uuid(), '\(user)', gen_random_uuid(), \(tokens), 'm', '\(moment)')
                    """)
            }
            let standing = try await withBook(database) { try await $0.set(Self.changes(day: .set(5))) }
            #expect(standing.tokensPerDay == 5)
            #expect(standing.tokensPerMonth == nil)
            #expect(standing.usedToday == 100_021)
            #expect(standing.usedThisMonth == 304_321)
            #expect(try database.value("select in_flight from buckets where scope = instance_scope()") == "3")
            #expect(try database.value("select count(*) from reservations where charges_instance") == "3")
        }

        @Test("are changed without counting anew once they are counted, and count anew after they were lifted")
        func recounting() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            func spend() async throws {
                let attempt = try await replica.reserve(user, cost: 100)
                #expect(attempt.isAdmitted)
                try await replica.settle(attempt.id, tokens: 40)
                #expect(try await replica.settled())
            }
            try await spend()
            #expect(try await withBook(database) { try await $0.standing() }.usedToday == nil, "nobody counts")
            #expect(try await withBook(database) { try await $0.set(Self.changes(day: .set(1000))) }.usedToday == 40)
            try await spend()
            // Were it counted anew it would be 80 and one.
            try database.run("update usage set prompt_tokens = prompt_tokens + 1 where ctid = (select min(ctid) from usage)")
            let both = try await withBook(database) { try await $0.set(Self.changes(month: .set(2000))) }
            #expect([both.usedToday, both.usedThisMonth, both.tokensPerDay, both.tokensPerMonth] == [80, 80, 1000, 2000])
            let none = try await withBook(database) { try await $0.set(Self.changes(day: .lift, month: .lift)) }
            #expect([none.usedToday, none.usedThisMonth, none.tokensPerDay, none.tokensPerMonth] == [nil, nil, nil, nil])
            try await spend()
            let again = try await withBook(database) { try await $0.set(Self.changes(month: .set(150))) }
            #expect(again.usedThisMonth == 121)
            #expect(try await replica.reserve(user, cost: 30).refusal?.code == .insufficientQuota)
            #expect(try await replica.reserve(user, cost: 29).isAdmitted)
        }

        @Test("are not begun while somebody reads the table for long: nothing is changed, and admissions go on")
        func dump() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let dump = try BlockingConnection(PostgresConfiguration(database.superuser))
            try dump.run("begin; select from instance")
            await #expect {
                try await withBook(database) { try await $0.set(Self.changes(day: .set(1))) }
            } throws: { error in
                (error as? ServiceError)?.code == .databaseUnavailable
            }
            #expect(try database.value("select tokens_per_day from instance") == nil)
            #expect(try await replica.reserve(user).isAdmitted)
            try dump.run("commit")
            let set = try await withBook(database) { try await $0.set(Self.changes(day: .set(1))) }
            #expect(set.usedToday == 100)
        }
    }
}
