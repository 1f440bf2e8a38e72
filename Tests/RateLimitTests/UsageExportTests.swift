import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The operator's report")
    struct UsageExportTests {
        private static func rows(_ database: LimitsDatabase, by breakdown: UsageBreakdown?) throws -> [[String?]] {
            let period = try UsagePeriod(from: "2026-11-01", to: "2026-11-30", longest: nil)
            var rows: [[String?]] = []
            try UsageExport(period, by: breakdown).run(on: BlockingConnection(PostgresConfiguration(database.owner))) {
                rows.append($0)
            }
            return rows
        }

        @Test("adds up all users' bills by day, user or model, or by all of them; an address only where the account is")
        func breakdowns() throws {
            let database = try LimitsDatabase()
            let (user, gone) = (try database.makeUser(), UserID(UUIDBytes(high: 0, low: 1)))
            try database.bill(user, at: "2026-11-01T00:00Z", prompt: 3, cached: 1, reasoning: 2, cost: "0.10")
            try database.bill(user, at: "2026-11-02T00:00Z", model: "B")
            try database.bill(gone, at: "2026-11-30T23:59:59Z", cost: "0.000001")
            try database.bill(gone, at: "2026-12-01T00:00:00Z")
            try database.bill(user, at: "2026-10-31T23:59:59Z")
            let figures = (priced: ["1", "3", "2", "1", "2", "0.1"], plain: ["1", "1", "2", "0", "0"])
            #expect(
                try Self.rows(database, by: .day) == [
                    ["2026-11-01"] + figures.priced, ["2026-11-02"] + figures.plain + [nil],
                    ["2026-11-30"] + figures.plain + ["0.000001"],
                ])
            #expect(
                try Self.rows(database, by: .user) == [
                    ["\(gone)", nil] + figures.plain + ["0.000001"],
                    ["\(user)", "\(user)@example.com", "2", "4", "4", "1", "2", "0.1"],
                ])
            #expect(
                try Self.rows(database, by: .model) == [
                    ["B"] + figures.plain + [nil], ["m", "2", "4", "4", "1", "2", "0.100001"],
                ])
            #expect(
                try Self.rows(database, by: nil).map { $0.prefix(4) } == [
                    ["2026-11-01", "\(user)", "\(user)@example.com", "m"], ["2026-11-02", "\(user)", "\(user)@example.com", "B"],
                    ["2026-11-30", "\(gone)", nil, "m"],
                ])
            for breakdown in [nil] + UsageBreakdown.allCases {
                let export = UsageExport(try UsagePeriod(from: nil, to: nil), by: breakdown)
                #expect(try Self.rows(database, by: breakdown).allSatisfy { $0.count == export.columns.count })
            }
        }

        @Test("is read in parts, and has every row once")
        func parts() throws {
            let database = try LimitsDatabase()
            try database.run(
                """
                insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                select gen_random_uuid(), gen_random_uuid(), 'm', 1, 1, 'exact', 'done', '2026-11-05' from generate_series(1, 2500)
                """)
            let rows = try Self.rows(database, by: .user)
            #expect(rows.count == 2500 && Set(rows.map { $0[0] }).count == 2500)
        }
    }

    @Suite("Prices")
    struct PriceBookTests {
        private static func price(_ prompt: String, from: String? = nil, model: String = "m") throws -> ModelPrice {
            try ModelPrice(
                model: model, validFrom: from.flatMap { Timestamp($0) }, prompt: #require(TokenPrice(prompt)),
                completion: #require(TokenPrice("99999999999999.999999")), cached: TokenPrice("0.000001"))
        }

        @Test("are kept to the last decimal; the last one that has begun is in force, and every model's stands by itself")
        func list() async throws {
            let database = try LimitsDatabase()
            let prices = [
                try Self.price("1", from: "2020-01-01T00:00:00Z"), try Self.price("2.50"),
                try Self.price("3", from: "2999-01-01T00:00:00Z"), try Self.price("4", from: "2020-01-01T00:00:00Z", model: "*"),
            ]
            let told = try await database.onClient(isOperator: true) { client in
                let book = PriceBook(database: client)
                var past: [Bool] = []
                for price in prices { past.append(try await book.set(price).isPast) }
                #expect(past == [true, false, false, true])
                return try await book.prices()
            }
            #expect(told.map(\.price.prompt.description) == ["1", "2.5", "3", "4"])
            #expect(told.map(\.isInForce) == [false, true, false, true])
            #expect(told.allSatisfy { $0.price.completion.description == "99999999999999.999999" })
            #expect(told.allSatisfy { $0.price.cached?.description == "0.000001" && $0.price.reasoning == nil })
        }

        @Test("of the same model and moment replace each other")
        func replaced() async throws {
            let database = try LimitsDatabase()
            let prices = try ["1", "2"].map { try Self.price($0, from: "2020-01-01T00:00:00+01:00") }
            let told = try await database.onClient(isOperator: true) { client in
                let book = PriceBook(database: client)
                for price in prices { _ = try await book.set(price) }
                return try await book.prices()
            }
            #expect(told.map(\.price.prompt.description) == ["2"])
            #expect(told.first?.price.validFrom?.description == "2019-12-31T23:00:00.000Z")
        }

        @Test(
            "are decimals, and nothing that would be rounded or read otherwise",
            arguments: [
                "", ".", "1.", ".5", "-1", "+1", "1e3", "NaN", "Infinity", "0x1", " 1", "1,5", "1.0000001", "123456789012345",
                "1.2.3", "１",
            ])
        func refused(text: String) { #expect(TokenPrice(text) == nil) }

        @Test("are of models with a name", arguments: ["", "a\0", String(repeating: "x", count: 201)])
        func models(name: String) { #expect(throws: ServiceError.self) { try Self.price("1", model: name) } }
    }
}
