import PlaygroundCore
import Postgres
import StrictJSON
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("What a user is told of the usage")
    struct UsageReportTests {
        @Test("is added up by day, model and preset, the latest day first, with the sums of the whole period")
        func sums() async throws {
            let database = try LimitsDatabase()
            let (user, preset) = (try database.makeUser(), PresetID(randomUUID()))
            try database.bill(
                user, at: "2026-11-01T00:00Z", prompt: 5, completion: 7, cached: 4, reasoning: 3, cost: "0.000000000001")
            try database.bill(user, at: "2026-11-01T23:59:59.999999Z", prompt: 1, completion: 1, cost: "12345678901234.5")
            try database.bill(user, at: "2026-11-01T12:00Z", preset: preset)
            try database.bill(user, at: "2026-11-02T00:00Z", model: "a")
            let report = try await database.report(of: user, from: "2026-11-01", to: "2026-11-02")
            #expect(
                report.rows.map { "\($0.date) \($0.model) \($0.sums.requests)" } == [
                    "2026-11-02 a 1", "2026-11-01 m 2", "2026-11-01 m 1",
                ])
            #expect(report.rows.map(\.presetID) == [nil, nil, preset])
            #expect(
                report.rows[1].sums
                    == UsageSums(
                        requests: 2, promptTokens: 6, completionTokens: 8, cachedTokens: 4, reasoningTokens: 3,
                        cost: "12345678901234.500000000001"))
            #expect(report.rows[0].sums.cost == nil)
            #expect(
                report.totals
                    == UsageSums(
                        requests: 4, promptTokens: 8, completionTokens: 12, cachedTokens: 4, reasoningTokens: 3,
                        cost: "12345678901234.500000000001"))
            #expect(report.next == nil)
        }

        @Test("has the days of the period, both ends included, by UTC whatever the database's zone")
        func period() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let name = try database.value("select current_database()")
            try database.run("alter database \(try #require(name)) set timezone = 'Asia/Tokyo'")
            let moments = [
                "2026-10-31T23:59:59.999999Z", "2026-11-01T00:00Z", "2026-11-02T23:59:59.999999Z", "2026-11-03T00:00Z",
            ]
            for moment in moments { try database.bill(user, at: moment) }
            let report = try await database.report(of: user, from: "2026-11-01", to: "2026-11-02")
            #expect(report.rows.map(\.date.description) == ["2026-11-02", "2026-11-01"])
            #expect(report.totals.requests == 2)
        }

        @Test("is of the last 30 days where no period is named, today included")
        func lastDays() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let today = try #require(try database.value("select utc_day(now())").flatMap { CalendarDate($0) })
            for days in [0, 29, 30] { try database.bill(user, at: "\(today.advanced(by: -days))T12:00Z") }
            let report = try await database.report(of: user)
            #expect(report.days == today.advanced(by: -29)...today)
            #expect(report.rows.map(\.date) == [today, today.advanced(by: -29)])
        }

        @Test("is nobody else's, and of a user without completions nothing")
        func owners() async throws {
            let database = try LimitsDatabase()
            let (user, stranger) = (try database.makeUser(), try database.makeUser())
            try database.bill(user, at: "2026-11-01T12:00Z", cost: "1")
            let report = try await database.report(of: stranger, from: "2026-11-01", to: "2026-11-01")
            #expect(report.rows.isEmpty && report.next == nil)
            let none = UsageSums(
                requests: 0, promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0, cost: nil)
            #expect(report.totals == none)
            // Not even behind a cursor that was made for somebody else.
            let first = try await database.report(of: user, from: "2026-11-01", to: "2026-11-01")
            let next = try await database.report(of: stranger, from: "2026-11-01", to: "2026-11-01", after: first.rows[0].cursor)
            #expect(next.rows.isEmpty && next.totals == none)
        }

        @Test(
            "comes in pages that have every row once, whatever models are called, and the same totals on each",
            arguments: [1, 2, 3])
        func pages(limit: Int) async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let presets = [nil, PresetID(UUIDBytes(high: 0, low: 0)), PresetID(randomUUID())]
            for (index, model) in ["", "a", "B", "é", "a'; drop table usage; --", "a\u{301}"].enumerated() {
                for preset in presets {
                    for day in 1...2 {
                        try database.bill(user, at: "2026-11-0\(day)T12:00Z", model: model, preset: preset, prompt: index)
                    }
                }
            }
            let whole = try await database.report(of: user, from: "2026-11-01", to: "2026-11-30", limit: 200)
            #expect(whole.rows.count == 36 && whole.next == nil)
            var rows: [UsageRow] = []
            var cursor: UsageCursor?
            repeat {
                let page = try await database.report(of: user, from: "2026-11-01", to: "2026-11-30", limit: limit, after: cursor)
                #expect(page.rows.count <= limit && page.totals == whole.totals)
                rows += page.rows
                cursor = try page.next.map { try #require(UsageCursor($0.description)) }
            } while cursor != nil && rows.count <= 36
            #expect(rows == whole.rows)
        }

        @Test("is read with the parts of its months alone")
        func pruning() async throws {
            let database = try LimitsDatabase()
            let sql = UsageStatements.report.sql
            let plan = try database.run(
                "prepare r as \(sql); set plan_cache_mode = force_generic_plan; "
                    + "explain (analyze, costs off) execute r(gen_random_uuid(), 20774, 20774, 50, null, null, null)")
            let text = plan.compactMap { $0.first ?? nil }.joined(separator: "\n")
            #expect(text.contains("Subplans Removed"), "\(text)")
            #expect(!text.contains("Seq Scan"), "\(text)")
        }
    }

    @Suite("The cost of a completion")
    struct CompletionCostTests {
        @Test("is told of it from its bill on, with cached tokens and thoughts, and not where no price was set")
        func record() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let free = try await replica.reserve(user)
            try database.run("insert into prices values ('m', now(), 3, 5, 1, 7)")
            let priced = try await replica.reserve(user)
            // Later ones alter neither what runs nor what is billed.
            try database.run("insert into prices values ('m', clock_timestamp(), 1000, 1000), ('*', '2020-01-01', 1, 1)")
            let read: @Sendable (CompletionID) async throws -> CompletionRecord = { id in
                try await replica.onLedger { try await $0.record(id, of: user) }
            }
            #expect(try await read(priced.id).cost == nil)
            for attempt in [free, priced] {
                let usage = Usage(
                    promptTokens: 10, completionTokens: 20, cachedTokens: 4, reasoningTokens: 6, source: .exact,
                    maxTokensApplied: 50)
                try await replica.onLimiter {
                    $0.settle(Settlement(completionID: attempt.id, usage: usage, outcome: .done))
                }
            }
            #expect(try await replica.settled())
            let record = try await read(priced.id)
            // (6 * 3 + 4 * 1 + 14 * 5 + 6 * 7) / 1,000,000
            #expect(record.cost == "0.000134")
            #expect(record.usage.cachedTokens == 4 && record.usage.reasoningTokens == 6)
            #expect(try await read(free.id).cost == "0.00003")
            try database.run("update prices set prompt = 9, completion = 9")
            #expect(try await read(priced.id).cost == "0.000134")
        }
    }
}

@Suite("The period of a report")
struct UsagePeriodTests {
    typealias Example = (from: String?, to: String?, days: String?)

    static let good: [Example] = [
        (nil, nil, nil), ("2026-11-22", "2026-11-22", "2026-11-22 2026-11-22"), ("2026-11-01", nil, "2026-11-01 2026-11-30"),
        (nil, "2026-11-30", "2026-11-01 2026-11-30"), ("2024-01-01", "2024-12-31", "2024-01-01 2024-12-31"),
    ]

    @Test("is what is named, or 30 days from or up to it", arguments: good)
    func reads(example: Example) throws {
        let period = try UsagePeriod(from: example.from, to: example.to)
        #expect(period.days.map { "\($0.lowerBound) \($0.upperBound)" } == example.days)
    }

    static let bad: [(from: String?, to: String?, params: [String])] = [
        ("yesterday", nil, ["from"]), (nil, "", ["to"]), ("x", "2026-02-30", ["from", "to"]),
        ("2026-11-02", "2026-11-01", ["to"]),
        ("2025-11-01", "2026-11-02", ["to"]),
    ]

    @Test("that cannot be names its bad ends", arguments: bad)
    func refuses(example: (from: String?, to: String?, params: [String])) throws {
        let error = #expect(throws: ServiceError.self) { try UsagePeriod(from: example.from, to: example.to) }
        #expect(error?.code == .invalidRequest && error?.errors.map(\.param) == example.params)
    }

    @Test("may be of any length for operators")
    func operators() throws {
        #expect(try UsagePeriod(from: "2000-01-01", to: "2026-11-22", longest: nil).days?.lowerBound.description == "2000-01-01")
    }
}

@Suite("The cursor of a report")
struct UsageCursorTests {
    @Test("reads back", arguments: ["", "m", String(repeating: "漢", count: 200), String(repeating: "😀", count: 200)])
    func roundTrip(model: String) throws {
        let date = try #require(CalendarDate("9998-12-31"))
        for preset in [nil, PresetID(UUIDBytes(high: .max, low: 1)), PresetID(UUIDBytes(high: 0, low: 0))] {
            for date in [date, CalendarDate(number: 0)] {
                let cursor = UsageCursor(date: date, model: model, presetID: preset)
                #expect(UsageCursor(cursor.description) == cursor)
            }
        }
    }

    @Test("is nothing else")
    func refused() {
        let good = UsageCursor(date: CalendarDate(number: 20_000), model: "m", presetID: PresetID(randomUUID())).description
        let bytes: [[UInt8]] = [
            [], [0], [0, 0, 0], [1, 0, 0, 1], [2, 0, 0, 1], [1] + [UInt8](repeating: 0, count: 18), [0, 0, 0, 1, 0xFF],
            [0, 0, 0, 1, 0],
            [0, 0xFF, 0xFF, 0xFF], [0, 0, 0, 1] + [UInt8](repeating: 0x61, count: 801),
        ]
        for text in bytes.map({ Base64.url.encode($0) }) + [good + "=", good + "é", " " + good, "x"] {
            #expect(UsageCursor(text) == nil, "\(text)")
        }
    }
}
