import Foundation
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport

@testable import RateLimit

/// Several connections that reserve and settle for the same few users as fast as they can, each other's completions too, and what
/// the database's own record says of it afterwards.
final class BusyDatabase: Sendable {
    private static let connections = 6
    private static let rounds = 60

    private let database: LimitsDatabase
    private let users: [String]
    private let limits: [String: LimiterModel.Limits]
    /// Admitted by anybody; settled perhaps.
    private let admitted = Mutex<[String]>([])
    private let errors = Mutex<[String]>([])

    init(fault: PlantedFault? = nil) throws {
        database = try LimitsDatabase()
        if let fault { try database.run(fault.sql()) }
        let plans: [(requests: Int64?, tokens: Int64?, streams: Int64?, day: Int64?)] = [
            (600, nil, nil, 20_000), (nil, 6_000, nil, nil), (nil, 90_000, 3, nil),
        ]
        var limits: [String: LimiterModel.Limits] = [:]
        var users: [String] = []
        for plan in plans {
            let user = try database.makeUser().description
            var mine = LimiterModel.Limits()
            (mine.requestsPerMinute, mine.tokensPerMinute) = (plan.requests, plan.tokens)
            (mine.concurrentStreams, mine.tokensPerDay) = (plan.streams, plan.day)
            let members: [(String, Int64?)] = [
                ("requests_per_minute", plan.requests), ("tokens_per_minute", plan.tokens), ("concurrent_streams", plan.streams),
                ("tokens_per_day", plan.day),
            ]
            let overrides = members.map { "'\($0.0)', \($0.1.map { "\($0)" } ?? "null")" }.joined(separator: ", ")
            try database.run("update users set overrides = jsonb_build_object(\(overrides)) where id = '\(user)'")
            users.append(user)
            limits[user] = mine
        }
        self.users = users
        self.limits = limits
        try database.run("update instance set tokens_per_day = 1000000000")
        try database.run(LedgerAudit.triggers)
    }

    /// Works, settles what is left, and looks.
    /// - Returns: what is wrong; nothing where all is well.
    func violations(seed: UInt64) throws -> [String] {
        let group = DispatchGroup()
        for number in 0..<Self.connections {
            group.enter()
            Thread.detachNewThread { [self] in
                do {
                    try work(SeededGenerator(seed: seed * 100 + UInt64(number)))
                } catch {
                    errors.withLock { $0.append("\(error)") }
                }
                group.leave()
            }
        }
        group.wait()
        var found = errors.withLock { $0 }
        let connection = try BlockingConnection(database.configuration())
        do {
            let left = admitted.withLock { $0 }
            try settle(left.map { LimiterModel.Settlement(id: $0, prompt: 1, output: 1, outcome: "done") }, on: connection)
        } catch {
            found.append("\(error)")
        }
        if let held = try database.value("select string_agg(scope::text, ' ') from buckets where in_flight <> 0") {
            found.append("slots are held: \(held)")
        }
        if try database.reservations() != 0 { found.append("reservations are left") }
        let audit = try LedgerAudit(rows: database.run(LedgerAudit.query))
        if audit.admissions.count < 50 { found.append("only \(audit.admissions.count) admitted") }
        return found + audit.violations(limits: limits)
    }

    private func work(_ generator: SeededGenerator) throws {
        var random = generator
        let connection = try BlockingConnection(database.configuration())
        for _ in 0..<Self.rounds {
            if random.chance(55) {
                try reserve(count: Int.random(in: 1...3, using: &random), &random, on: connection)
            } else {
                let ids = admitted.withLock { $0 }.shuffled(using: &random).prefix(Int.random(in: 1...4, using: &random))
                try settle(
                    ids.map { id in
                        let outcome = ["done", "stopped", "process_lost", "process_lost", ""].randomElement(using: &random) ?? ""
                        let tokens = outcome.isEmpty ? 0 : Int64.random(in: 0...250, using: &random)
                        return LimiterModel.Settlement(id: id, prompt: tokens, output: 0, outcome: outcome)
                    }, on: connection)
            }
        }
    }

    private func reserve(count: Int, _ random: inout SeededGenerator, on connection: BlockingConnection) throws {
        let ids = (0..<count).map { _ in random.uuid() }
        let asked = ids.map { _ in users.randomElement(using: &random) ?? "" }
        let rows = try connection.run(
            LimitStatements.reserve.sql,
            [
                .uuid(randomUUID()), .uuidArray(ids.map { UUIDBytes($0) }), .uuidArray(ids.map { _ in randomUUID() }),
                .uuidArray(asked.map { UUIDBytes($0) }),
                .uuidArray(ids.map { _ in nil }), .intArray(ids.map { _ in .random(in: 1...200, using: &random) }),
                .intArray(ids.map { _ in 10 }), .textArray(ids.map { _ in "m" }), .uuidArray(ids.map { _ in nil }),
                .textArray(ids.map { _ in "" }), .bool(count % 2 == 0), .bool(count % 3 > 0),
            ])
        for row in rows.rows where try rows.string(row, 0) == "admitted" { admitted.withLock { $0.append(ids[row]) } }
    }

    private func settle(_ batch: [LimiterModel.Settlement], on connection: BlockingConnection) throws {
        let nothing = batch.map { _ in "" }
        try connection.run(
            LimitStatements.settle.sql,
            [
                .uuidArray(batch.map { UUIDBytes($0.id) }), .uuidArray(batch.map { _ in nil }), .intArray(batch.map(\.prompt)),
                .intArray(batch.map(\.output)),
                .intArray(batch.map { _ in 0 }), .intArray(batch.map { _ in 0 }), .textArray(batch.map { _ in "exact" }),
                .textArray(batch.map(\.outcome)), .textArray(nothing), .textArray(nothing), .textArray(nothing),
                .bool(batch.count % 2 == 0),
            ])
    }
}
