import PlaygroundCore
import Postgres
import TestSupport

@testable import RateLimit

/// The same operations on the model and on the real functions in a database whose clock is the model's. What differs is told, not
/// reported: a harness that finds nothing has to be seen finding something.
struct LimiterComparison {
    private let connection: BlockingConnection
    private let process = randomUUID()
    private let users: [String]
    private var model: LimiterModel
    /// The attempts that were admitted, by their completions.
    private var attempts: [String: UUIDBytes] = [:]
    /// The ids that were asked for before.
    private var seen: Set<String> = []

    /// - Parameter fault: turns the schema's functions into faulty ones.
    init(_ operations: inout LimiterOperations, fault: PlantedFault? = nil) throws {
        let database = try LimitsDatabase()
        // It changes functions and plants rows, all over the one connection.
        connection = try BlockingConnection(PostgresConfiguration(database.owner))
        if let fault { try connection.run(fault.sql()) }
        users = operations.users
        model = operations.model()
        try connection.run(
            """
            create table stopped_clock (now timestamptz);
            insert into stopped_clock values (\(Self.moment(model.clock)));
            create or replace function limits_clock() returns timestamptz language sql volatile
                as $$ select now from stopped_clock $$;
            """)
        for user in users {
            try connection.run(
                """
                insert into plans (name) values ('p\(user.prefix(8))');
                insert into users (id, email, plan) values ('\(user)', '\(user)@example.com', 'p\(user.prefix(8))');
                """)
            try setLimits(of: user)
        }
        try connection.run("update buckets set at = \(Self.moment(model.clock))")
    }

    /// Runs random operations until something differs.
    /// - Returns: what differs after the first operation that goes wrong; nothing where all is well.
    mutating func violations(_ operations: inout LimiterOperations, steps: Int) -> [String] {
        for step in 0..<steps {
            let operation = operations.next(model)
            let found: [String]
            do {
                found = try differences(after: operation)
            } catch {
                found = ["\(error)"]
            }
            if !found.isEmpty { return ["step \(step): \(operation)"] + found }
        }
        return []
    }

    private mutating func differences(after operation: LimiterOperation) throws -> [String] {
        var found: [String] = []
        switch operation {
        case .reserve(let asks):
            let real = try reserve(asks)
            let expected = model.apply(operation)
            for (ask, (real, expected)) in zip(asks, zip(real, expected)) where real != expected {
                found.append("\(ask): \(real) instead of \(expected)")
            }
            if real.count != asks.count { found.append("\(real.count) answers") }
        case .settle(let batch):
            let real = try settle(batch)
            let expected = model.settle(batch)
            if real != expected { found.append("acknowledged \(real) instead of \(expected)") }
        case .void(let ids, let user):
            for id in ids { try void(attempts[id] ?? randomUUID(), of: id, user: user) }
            model.apply(operation)
        case .voidAgain(let id, let user):
            try void(randomUUID(), of: id, user: user)
            model.apply(operation)
        case .charge(let user):
            let rows = try connection.run(LimitStatements.charge.sql, [.uuid(UUIDBytes(user))])
            let expected = model.charge(user)
            let levels = rows.isEmpty ? nil : [try rows.intIfPresent(0, 1), try rows.intIfPresent(0, 3)]
            if levels != expected.map({ [$0.requestUnits, $0.tokenUnits] }) {
                found.append("\(String(describing: levels)) left")
            }
        case .pass:
            model.apply(operation)
            try connection.run("update stopped_clock set now = \(Self.moment(model.clock))")
        case .change(_, let user):
            model.apply(operation)
            try setLimits(of: user)
        case .budgets, .pause:
            model.apply(operation)
            try connection.run(
                """
                update instance set tokens_per_day = \(Self.sql(model.instancePerDay)),
                    tokens_per_month = \(Self.sql(model.instancePerMonth)), paused_at = \(model.isPaused ? "now()" : "null")
                """)
        }
        return try found + differencesOfState()
    }

    // MARK: The real functions

    private mutating func reserve(_ asks: [LimiterModel.Ask]) throws -> [LimiterModel.Answer] {
        let tried = asks.map { _ in randomUUID() }
        let areNew = seen.isDisjoint(with: asks.map(\.id)) && Set(asks.map(\.id)).count == asks.count
        seen.formUnion(asks.map(\.id))
        let rows = try connection.run(
            LimitStatements.reserve.sql,
            [
                .uuid(process), .uuidArray(asks.map { UUIDBytes($0.id) }), .uuidArray(tried.map { $0 }),
                .uuidArray(asks.map { UUIDBytes($0.user) }),
                .uuidArray(asks.map { _ in nil }), .intArray(asks.map(\.prompt)), .intArray(asks.map(\.wanted)),
                .textArray(asks.map(\.model)), .uuidArray(asks.map { _ in nil }), .textArray(asks.map { _ in "" }),
                .bool(asks.count % 2 == 0), .bool(areNew),
            ])
        return try rows.rows.map { row in
            var answer = LimiterModel.Answer(verdict: try rows.string(row, 0))
            answer.maxTokens = try rows.intIfPresent(row, 1)
            answer.cost = try rows.intIfPresent(row, 3)
            answer.requestsPerMinute = try rows.intIfPresent(row, 4)
            answer.requestUnits = try rows.intIfPresent(row, 5)
            answer.tokensPerMinute = try rows.intIfPresent(row, 6)
            answer.tokenUnits = try rows.intIfPresent(row, 7)
            answer.concurrentStreams = try rows.intIfPresent(row, 8)
            answer.inFlight = try rows.intIfPresent(row, 9)
            answer.wait = try rows.intIfPresent(row, 10)
            answer.remaining = try rows.intIfPresent(row, 11)
            if answer.verdict == "admitted" { attempts[asks[row].id] = tried[row] }
            return answer
        }
    }

    private func settle(_ batch: [LimiterModel.Settlement]) throws -> Set<String> {
        let nothing = batch.map { _ in "" }
        let rows = try connection.run(
            LimitStatements.settle.sql,
            [
                .uuidArray(batch.map { UUIDBytes($0.id) }), .uuidArray(batch.map { attempts[$0.id] }),
                .intArray(batch.map(\.prompt)), .intArray(batch.map(\.output)),
                .intArray(batch.map { _ in 0 }), .intArray(batch.map { _ in 0 }), .textArray(batch.map { _ in "exact" }),
                .textArray(batch.map(\.outcome)), .textArray(nothing), .textArray(nothing), .textArray(nothing),
                .bool(batch.count % 2 == 0),
            ])
        return Set(try rows.rows.map { try rows.uuid($0, 0).description })
    }

    private func void(_ attempt: UUIDBytes, of id: String, user: String) throws {
        let values: [PostgresValue] = [.uuidArray([attempt]), .uuidArray([UUIDBytes(id)]), .uuidArray([UUIDBytes(user)])]
        try connection.run(LimitStatements.void.sql, values)
    }

    private func setLimits(of user: String) throws {
        guard let limits = model.limits[user] else { return }
        let models = limits.models.map { "array[\($0.map { "'\($0)'" }.joined(separator: ","))]" } ?? "null::text[]"
        let values = [
            ("requests_per_minute", Self.sql(limits.requestsPerMinute)), ("tokens_per_minute", Self.sql(limits.tokensPerMinute)),
            ("concurrent_streams", Self.sql(limits.concurrentStreams)), ("max_tokens_cap", Self.sql(limits.maxTokensCap)),
            ("max_tokens_default", "\(limits.maxTokensDefault)"), ("models", models),
            ("tokens_per_day", Self.sql(limits.tokensPerDay)), ("tokens_per_month", Self.sql(limits.tokensPerMonth)),
        ]
        // By the user's own plan for some, and for the others by what the user has instead of it.
        if user < "8" {
            let columns = values.map { "\($0) = \($1)" }.joined(separator: ", ")
            try connection.run("update plans set \(columns) where name = 'p\(user.prefix(8))'")
        } else {
            let members = values.map { "'\($0)', \($1)" }.joined(separator: ", ")
            try connection.run("update users set overrides = jsonb_build_object(\(members)) where id = '\(user)'")
        }
    }

    // MARK: What is stored

    private func differencesOfState() throws -> [String] {
        var found: [String] = []
        let rows = try connection.run(
            """
            select scope, requests_per_minute, request_units, tokens_per_minute, token_units, in_flight,
                (extract(epoch from at) * 1000000)::bigint, case when isfinite(day) then (day - date '1970-01-01')::bigint end,
                day_tokens, case when isfinite(month) then (month - date '1970-01-01')::bigint end, month_tokens
            from buckets
            """)
        for row in rows.rows {
            let scope = try rows.uuid(row, 0).description
            var stored = ModelAccount(at: try rows.int(row, 6))
            stored.requestsPerMinute = try rows.intIfPresent(row, 1)
            stored.requestUnits = try rows.int(row, 2)
            stored.tokensPerMinute = try rows.intIfPresent(row, 3)
            stored.tokenUnits = try rows.int(row, 4)
            stored.inFlight = try rows.int(row, 5)
            stored.day = try rows.intIfPresent(row, 7)
            stored.dayTokens = try rows.int(row, 8)
            stored.month = try rows.intIfPresent(row, 9)
            stored.monthTokens = try rows.int(row, 10)
            let expected = model.accounts[scope] ?? model.instance
            if stored != expected { found.append("\(scope) has \(stored) instead of \(expected)") }
        }
        if rows.count != users.count + 1 { found.append("\(rows.count) rows of buckets") }
        let held = try pairs("select completion_id, reserved_tokens from reservations")
        let heldInModel = model.reservations.mapValues { "\($0.cost)" }
        if held != heldInModel { found.append("reserved: \(held) instead of \(heldInModel)") }
        let billed = try pairs(
            """
            select completion_id, concat_ws(' ', user_id, prompt_tokens + completion_tokens, outcome,
                (extract(epoch from started_at) * 1000000)::bigint, (extract(epoch from finished_at) * 1000000)::bigint)
            from usage
            """)
        let billedInModel = model.bills.mapValues { "\($0.user) \($0.tokens) \($0.outcome) \($0.startedAt) \($0.finishedAt)" }
        for id in Set(billed.keys).union(billedInModel.keys) where billed[id] != billedInModel[id] {
            found.append("\(id) billed as \(billed[id] ?? "nothing") instead of \(billedInModel[id] ?? "nothing")")
        }
        return found
    }

    private func pairs(_ sql: String) throws -> [String: String] {
        let rows = try connection.run("select a::text, b::text from (\(sql)) as t (a, b)")
        return Dictionary(uniqueKeysWithValues: try rows.rows.map { (try rows.string($0, 0), try rows.string($0, 1)) })
    }

    private static func sql(_ number: Int64?) -> String { number.map { "\($0)" } ?? "null" }

    private static func moment(_ microseconds: Int64) -> String {
        "timestamptz 'epoch' + \(microseconds) * interval '1 microsecond'"
    }
}
