import EventLoop
import Foundation
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport
import Testing

/// Calls of many tenants on a few connections, cut short in every way there is.
@Suite("Tenants on shared connections")
struct TenantInterleavingTests {
    private static let calls = 10_000
    private static let connections = 4

    private static let owners = PostgresStatement("owners", "select owner_id from presets, pg_sleep($1::float8)", .read)
    private static let rename = PostgresStatement(
        "rename", "update presets set name = $1::text where 1 / $2::bigint = 1 returning owner_id")

    /// What became of the calls.
    private struct Tally {
        var answered = 0
        var failed = 0
        var cancelled = 0
        var timedOut = 0
        var foreign: [String] = []
    }

    private final class Tallies: Sendable {
        let counts = Mutex(Tally())
        let isDone = Mutex(false)
    }

    @Test("10,000 calls that succeed, fail, run into time-outs or are cancelled see and change no row of anybody else's")
    func interleaved() async throws {
        let schema = try SchemaDatabase()
        let users = try (0..<8).map { _ in try schema.makeUser() }
        for user in users {
            try schema.run(
                """
                insert into presets (owner_id, id, name, prompt, params)
                select '\(user)', gen_random_uuid(), '\(user)', 'p', '{}' from generate_series(1, 3)
                """)
        }
        let tallies = Tallies()
        let canceller = Task { try await offPool { try Self.cancel(in: schema, until: { tallies.isDone.withLock { $0 } }) } }
        try await withDatabase(
            schema.login,
            {
                $0.role = SchemaDatabase.role
                $0.lanes.hotConnections = Self.connections
                $0.statementTimeout = .milliseconds(40)
            }
        ) { database in
            try await withThrowingTaskGroup { group in
                for lane in 0..<64 {
                    group.addTask {
                        var random = SeededGenerator(seed: UInt64(lane))
                        for _ in 0..<(Self.calls / 64 + 1) {
                            try await Self.call(on: database, as: Int.random(in: 0..<10, using: &random), users, &random, tallies)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        tallies.isDone.withLock { $0 = true }
        try await canceller.value
        tallies.counts.withLock { tally in
            #expect(tally.foreign.isEmpty, "\(tally.foreign.prefix(5))")
            let all = tally.answered + tally.failed + tally.cancelled + tally.timedOut
            #expect(all >= Self.calls)
            for (count, what) in [
                (tally.answered, "answered"), (tally.failed, "failed"), (tally.cancelled, "cancelled"),
                (tally.timedOut, "timed out"),
            ] { #expect(count > 20, "\(what): \(tally)") }
        }
        #expect(try schema.value("select count(*) from presets where name <> owner_id::text") == "0")
        #expect(try schema.value("select count(*) from presets") == "24")
    }

    /// One call of one of the users, or of nobody. Its statement names no owner.
    private static func call(
        on database: TestDatabase, as kind: Int, _ users: [UserID], _ random: inout SeededGenerator,
        _ tallies: Tallies
    ) async throws {
        let user = random.chance(15) ? nil : users.randomElement(using: &random)
        do {
            let result: PostgresResult
            switch kind {
            case 0...4: result = try await database.execute(owners, [.double(0)], tenant: user)
            // The statement's own time-out.
            case 5 where random.chance(10): result = try await database.execute(owners, [.double(1)], tenant: user)
            // Ours, on what has been sent.
            case 6: result = try await database.execute(owners, [.double(0.002)], tenant: user, deadline: .milliseconds(2))
            default:
                let divisor = PostgresValue.int(random.chance(30) ? 0 : 1)
                result = try await database.execute(rename, [.text(user?.description ?? "nobody"), divisor], tenant: user)
            }
            let seen = try result.rows.map { UserID(try result.uuid($0, 0)) }
            tallies.counts.withLock { tally in
                tally.answered += 1
                if seen != Array(repeating: user ?? UserID(randomUUID()), count: user == nil ? 0 : 3) {
                    tally.foreign.append("\(String(describing: user)) saw \(seen)")
                }
            }
        } catch let error as PostgresError {
            tallies.counts.withLock { tally in
                switch error {
                case .server(SQLState(rawValue: "22012"), _, _): tally.failed += 1
                case .server(SQLState(rawValue: "57014"), _, _): tally.cancelled += 1
                case .timedOut, .unavailable, .unknownOutcome: tally.timedOut += 1
                default: tally.foreign.append("\(error)")
                }
            }
        }
    }

    /// Cancels whatever runs on one of the connections, again and again.
    private static func cancel(in schema: SchemaDatabase, until isDone: () -> Bool) throws {
        let connection = try BlockingConnection(PostgresConfiguration(schema.superuser))
        while !isDone() {
            try connection.run(
                """
                select pg_cancel_backend(pid) from pg_stat_activity
                where datname = current_database() and usename = '\(PostgresServer.login)' order by random() limit 1
                """)
            usleep(3_000)
        }
    }
}
