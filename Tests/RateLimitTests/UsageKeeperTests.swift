import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The bills' months")
    struct UsageKeeperTests {
        /// The months that there are, as differences from this one.
        private static func months(_ database: LimitsDatabase) throws -> [Int] {
            try database.run(
                """
                select (12 * date_part('year', age) + date_part('month', age))::int from (
                    select age(to_date(substr(c.relname, 7), 'YYYY_MM'), utc_month(now())) as age
                    from pg_inherits i join pg_class c on c.oid = i.inhrelid
                    where i.inhparent = 'usage'::regclass and c.relname <> 'usage_other') m
                order by 1
                """
            ).compactMap { $0[0].flatMap { Int($0) } }
        }

        /// A bill from the middle of a month.
        private static func bill(_ database: LimitsDatabase, month: Int) throws {
            try database.run(
                """
                insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                values (gen_random_uuid(), gen_random_uuid(), '\(month)', 1, 1, 'exact', 'done',
                    utc_start(utc_month(now())) + interval '\(month) months 14 days')
                """)
        }

        private static func models(_ database: LimitsDatabase, in table: String = "usage") throws -> [String?] {
            try database.run("select model from \(table) order by model::int").map { $0[0] }
        }

        /// Without the last month, which is then due again.
        private static func dropLast(_ database: LimitsDatabase) throws {
            let part = try database.value("select max(relname) from pg_class where relname ~ '^usage_2.*[0-9]$'")
            try database.run("drop table \(try #require(part))")
        }

        private static func keep(_ database: LimitsDatabase, months: Int?) async throws {
            try await database.onClient { try await UsageKeeper(database: $0, keptMonths: months).run() }
        }

        @Test("are there for this one and three more, and are made again where one is missing, with what was billed meanwhile")
        func ahead() async throws {
            let database = try LimitsDatabase()
            #expect(try Self.months(database) == [0, 1, 2, 3])
            let parts = try database.run("select relname from pg_class where relname ~ '^usage_2.*[0-9]$'").compactMap { $0[0] }
            for part in parts { try database.run("drop table \(part)") }
            for month in [0, 1, 9] { try Self.bill(database, month: month) }
            #expect(try Self.models(database, in: "usage_other") == ["0", "1", "9"])
            try await Self.keep(database, months: nil)
            #expect(try Self.months(database) == [0, 1, 2, 3])
            #expect(try Self.models(database, in: "usage_other") == ["9"])
            #expect(try Self.models(database) == ["0", "1", "9"])
            // What was made is like what the schema began with: a bill is still written once.
            let indexes = try database.run(
                "select count(*) from pg_index x join pg_inherits i on i.inhrelid = x.indrelid where i.inhparent = 'usage'::regclass group by x.indrelid"
            )
            #expect(indexes == Array(repeating: ["2"], count: 5))
            #expect(
                try database.value("select bool_and(indisvalid)::text from pg_index where indrelid = 'usage'::regclass") == "true"
            )
        }

        @Test("that are older than the retention are dropped, whole months alone; without one all are kept")
        func retention() async throws {
            let database = try LimitsDatabase()
            for month in [-4, -3, -2, -1] {
                try database.run("select make_usage_month((utc_month(now()) + interval '\(month) months')::date)")
            }
            for month in [-9, -4, -3, -2, -1, 0] { try Self.bill(database, month: month) }
            try await Self.keep(database, months: nil)
            #expect(try Self.models(database) == ["-9", "-4", "-3", "-2", "-1", "0"])
            try await Self.keep(database, months: 2)
            #expect(try Self.models(database) == ["-2", "-1", "0"])
            #expect(try Self.months(database) == [-2, -1, 0, 1, 2, 3])
        }

        @Test("keep what a completion id may be looked for, however short the retention")
        func recent() async throws {
            let database = try LimitsDatabase()
            for month in [-3, -2, -1] {
                try database.run("select make_usage_month((utc_month(now()) + interval '\(month) months')::date)")
            }
            try database.run(
                """
                insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                select gen_random_uuid(), gen_random_uuid(), days, 1, 1, 'exact', 'done', now() - days * interval '1 day'
                from unnest(array[0, 34]) as days
                """)
            try await Self.keep(database, months: 0)
            #expect(try Self.models(database) == ["0", "34"])
        }

        @Test("are kept by any number of replicas at the same time")
        func rivals() async throws {
            let database = try LimitsDatabase()
            for month in [-6, -5, -4] {
                try database.run("select make_usage_month((utc_month(now()) + interval '\(month) months')::date)")
            }
            try Self.dropLast(database)
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 { group.addTask { try await Self.keep(database, months: 3) } }
                try await group.waitForAll()
            }
            try await Self.keep(database, months: 3)
            #expect(try Self.months(database) == [0, 1, 2, 3])
        }

        @Test("wait for nobody: where a bill is being read, the attempt ends at once, and the next one does it")
        func busy() async throws {
            let database = try LimitsDatabase()
            try Self.dropLast(database)
            let reader = try BlockingConnection(PostgresConfiguration(database.superuser))
            try reader.run("begin; select count(*) from usage")
            let error = await #expect(throws: PostgresError.self) { try await Self.keep(database, months: nil) }
            #expect(error?.state == .lockNotAvailable)
            // Nothing of it is left in the way, not even the part that was begun.
            try Self.bill(database, month: 0)
            try reader.run("commit")
            try await Self.keep(database, months: nil)
            #expect(try Self.months(database) == [0, 1, 2, 3])
        }
    }
}
