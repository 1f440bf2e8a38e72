import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Auth

@Suite("The audit trail")
struct AuditLogTests {
    /// A loop with a log, over a database of its own.
    struct Scene: Sendable {
        let database: SchemaDatabase
        let loop = EventLoop(name: "audit")
        let log: LoopBound<AuditLog>
        let lines = LineRecorder()
        let lost = Lost()

        final class Lost: Sendable {
            let count = Mutex(0)
        }

        init(conninfo: String? = nil) async throws {
            database = try SchemaDatabase()
            let configuration = try conninfo.map { try PostgresConfiguration($0) } ?? database.configuration()
            let (lines, lost) = (lines, lost)
            loop.start()
            log = try await loop.run { loop in
                let logger = Logger(label: "audit") { _ in lines }
                let client = PostgresClient(configuration: configuration, io: loop.io, logger: Replica.logger)
                let log = AuditLog(
                    database: client, io: loop.io, logger: logger, account: { "hash of \($0.description.count)" },
                    lost: { count in lost.count.withLock { $0 += count } })
                let bound = LoopBound(log, on: loop)
                loop.spawn { loop in await bound.value(on: loop).run() }
                return bound
            }
        }

        func with<Value: Sendable>(_ body: @escaping @Sendable (AuditLog) async throws -> Value) async throws -> Value {
            let log = log
            return try await loop.run { loop in try await body(log.value(on: loop)) }
        }

        func end() async throws {
            try await with { await $0.drain(.seconds(10)) }
            loop.stop()
        }

        /// All rows as `AuditReport` has them, by the names of its columns.
        func rows(_ change: (inout AuditReport) -> Void = { _ in }) throws -> [[String: String]] {
            var report = AuditReport()
            change(&report)
            var rows: [[String: String]] = []
            try report.run(on: BlockingConnection(PostgresConfiguration(database.owner))) { row in
                rows.append(
                    Dictionary(
                        uniqueKeysWithValues: zip(AuditReport.columns, row).compactMap { key, value in value.map { (key, $0) } }))
            }
            return rows
        }
    }

    /// Keeps what was logged.
    final class LineRecorder: LogHandler, Sendable {
        let lines = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }
        subscript(metadataKey _: String) -> Logger.MetadataValue? {
            get { nil }
            set {}
        }

        func log(event: LogEvent) {
            let members = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted()
            lines.withLock { $0.append(([event.message.description] + members).joined(separator: " ")) }
        }
    }

    static let origin = AuditOrigin(
        address: "192.0.2.1", userAgent: "tests/1", requestID: RequestID(UUIDBytes(high: 0xABC, low: 0xDEF)))

    @Test("has one line and one row of an event, with who, what, when, from where, request and outcome")
    func oneEach() async throws {
        let scene = try await Scene()
        let user = try scene.database.makeUser()
        try await scene.with { $0.record(AuditEvent(.login, of: .user(user), session: Samples.session, from: Self.origin)) }
        try await scene.end()
        #expect(
            scene.lines.lines.withLock(\.self) == [
                "audit client=192.0.2.1 event=login outcome=succeeded request_id=\(UUIDBytes(high: 0xABC, low: 0xDEF)) "
                    + "session_id=\(Samples.session) user_agent=tests/1 user_id=\(user)"
            ])
        let rows = try scene.rows()
        try #require(rows.count == 1)
        var row = rows[0]
        let at = try #require(row.removeValue(forKey: "at").flatMap { Timestamp($0) })
        #expect(abs(at.microseconds - SystemClock.microseconds()) < 60_000_000)
        for key in ["id", "last_at"] { #expect(row.removeValue(forKey: key) != nil) }
        #expect(
            row == [
                "kind": "login", "outcome": "succeeded", "subject_id": "\(user)", "actor_id": "\(user)",
                "email": "\(user)@example.com",
                "session_id": "\(Samples.session)", "address": "192.0.2.1", "user_agent": "tests/1", "count": "1",
                "request_id": "\(UUIDBytes(high: 0xABC, low: 0xDEF))",
            ])
    }

    @Test("finds the account of an address or a session itself; of a stranger it keeps a keyed hash and nothing else")
    func subjects() async throws {
        let scene = try await Scene()
        let user = try scene.database.makeUser()
        try scene.database.run(
            "insert into sessions (id, user_id, key_id, token_hash) values ('\(Samples.session)', '\(user)', 'k', sha256('x'))"
        )
        let (known, stranger) = (try EmailAddress(parsing: "\(user)@EXAMPLE.com"), try EmailAddress(parsing: "eve@example.org"))
        try await scene.with { log in
            log.record(AuditEvent(.login, .failed, of: .address(known), from: Self.origin))
            log.record(AuditEvent(.login, .failed, of: .address(stranger), from: Self.origin))
            log.record(AuditEvent(.logout, session: Samples.session, from: Self.origin))
        }
        try await scene.end()
        let rows = try scene.rows()
        func row(_ kind: String, _ key: String, _ value: String?) -> Bool {
            rows.contains { $0["kind"] == kind && $0[key] == value }
        }
        #expect(rows.count == 3)
        #expect(row("login", "subject_id", "\(user)") && row("logout", "actor_id", "\(user)"))
        #expect(rows.filter { $0["subject_id"] == nil }.map { $0["account"] } == ["hash of 15"])
        #expect(rows.filter { $0["subject_id"] != nil }.allSatisfy { $0["account"] == nil })
        let stored = try scene.database.run("select t::text from audit_events t").joined()
        #expect(!stored.contains { $0?.contains("@") == true })
        #expect(!scene.lines.lines.withLock { $0.contains { $0.contains("@") } })
    }

    @Test("writes an event in the transaction of its change, and not where that fails")
    func transactions() async throws {
        let scene = try await Scene()
        let user = try scene.database.makeUser()
        for isValid in [true, false] {
            try await scene.with { log in
                let event = AuditEvent(.passwordChanged, of: .user(user), from: Self.origin)
                let change = PostgresStatement("change", "select 1 / case when $1::boolean then 1 else 0 end")
                let done = try? await log.database.transaction([(change, [.bool(isValid)]), log.step(event)])
                if done != nil { log.log(event) }
            }
        }
        try await scene.end()
        #expect(try scene.rows().map { $0["kind"] } == ["password_changed"])
        #expect(scene.lines.lines.withLock(\.count) == 1)
    }

    @Test("answers at once while the database is away, and has every row when it is back, with the time it happened")
    func outage() async throws {
        let scene = try await Scene()
        let user = try scene.database.makeUser()
        try scene.database.run("alter function record_audit_events(jsonb) rename to away")
        try await scene.with { log in
            for _ in 0..<20 { log.record(AuditEvent(.login, of: .user(user), from: Self.origin)) }
        }
        // A function that is not there is the nearest to a database that is away which leaves the others of this server alone.
        try await becomesTrue { scene.lines.lines.withLock { $0.contains { $0.hasPrefix("audit events not written") } } }
        try scene.database.run("alter function away(jsonb) rename to record_audit_events")
        try await scene.end()
        #expect(try scene.rows().count + scene.lost.count.withLock(\.self) == 20)
        #expect(scene.lines.lines.withLock { $0.count { $0.hasPrefix("audit client") } } == 20)
    }

    @Test("counts what a server that stops could not write any more")
    func losses() async throws {
        let scene = try await Scene(conninfo: "host=127.0.0.1 port=1 user=nobody")
        try await scene.with { log in
            for _ in 0..<7 { log.record(AuditEvent(.login, of: .user(Samples.user), from: Self.origin)) }
            await log.drain(.milliseconds(200))
        }
        scene.loop.stop()
        #expect(scene.lost.count.withLock(\.self) == 7)
    }

    @Test("is read newest first in pages, by account, kind, outcome and time, and forgotten in bounded steps")
    func report() async throws {
        let scene = try await Scene()
        let user = try scene.database.makeUser()
        try scene.database.run(
            """
            insert into audit_events (id, at, last_at, kind, outcome, subject_id)
            select gen_random_uuid(), moment, moment, (array['login', 'logout'])[1 + n % 2], (array['succeeded', 'failed'])[1 + n / 2 % 2],
                case when n % 5 = 0 then '\(user)'::uuid end
            from generate_series(0, 2999) as n, lateral (select '2026-01-01T00:00Z'::timestamptz + n / 3 * interval '1 minute') as t (moment)
            """)
        let all = try scene.rows()
        #expect(all.count == 3_000 && Set(all.compactMap { $0["id"] }).count == 3_000)
        #expect(all.compactMap { $0["at"] } == all.compactMap { $0["at"] }.sorted(by: >))
        #expect(try scene.rows { $0.user = user }.count == 600)
        #expect(try scene.rows { $0.kind = .login }.count == 1_500)
        #expect(try scene.rows { ($0.kind, $0.outcome) = (.logout, .failed) }.count == 750)
        #expect(try scene.rows { $0.limit = 1_500 }.map { $0["id"] } == all.prefix(1_500).map { $0["id"] })
        let (since, until) = (Timestamp("2026-01-01T01:00:00Z"), Timestamp("2026-01-01T02:00:00Z"))
        #expect(try scene.rows { ($0.since, $0.until) = (since, until) }.count == 180)

        try scene.database.run("update audit_events set at = now() - interval '10 days' where at < '2026-01-01T10:00Z'")
        try scene.database.run("update audit_events set at = now() where at = '2026-01-01T10:00Z'")
        let steps = try await scene.with { log in
            var steps: [Int] = []
            repeat { steps.append(try await log.purge(keptDays: 9, most: 1_000)) } while steps.last != 0
            return steps
        }
        #expect(steps == [1_000, 1_000, 997, 0])
        #expect(try scene.rows().count == 3)
        try await scene.end()
    }
}
