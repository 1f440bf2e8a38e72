import Postgres
import TestSupport
import Testing

@Suite
struct MigratorTests {
    private let first = Migration(name: "0001_a", sql: "create table a (id int); insert into a values (1), (2);")
    private let second = Migration(name: "0002_b", sql: "create table b (id int)")

    private func migrate(_ conninfo: String, _ migrations: [Migration]) throws -> Migrator.Outcome {
        try Migrator(configuration: PostgresConfiguration(conninfo), migrations: migrations).migrate()
    }

    @Test("steps are applied once, in the order of their names")
    func order() throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        #expect(try migrate(conninfo, [second, first]).applied == ["0001_a", "0002_b"])
        #expect(try migrate(conninfo, [first, second]) == Migrator.Outcome())
        let rows = try server.run("select name, checksum, applied_at <= now() from schema_migrations order by name", in: conninfo)
        #expect(rows.map { $0[0] } == ["0001_a", "0002_b"])
        // echo -n 'create table b (id int)' | sha256sum
        #expect(rows[1][1] == "10e839c0e93898f0b886cbd8af7ce5953cca1d3376d65a4a578910fabb489362")
        #expect(rows.allSatisfy { $0[2] == "t" })
    }

    @Test("three migrators at once apply each step once")
    func together() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        let slow = Migration(name: "0003_c", sql: "select pg_sleep(0.3); insert into a values (3)")
        let outcomes = try await withThrowingTaskGroup { group in
            for _ in 0..<3 {
                group.addTask { try await offPool { try migrate(conninfo, [first, second, slow]) } }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.map(\.applied.count).sorted() == [0, 0, 3])
        #expect(try server.run("select count(*) from a", in: conninfo) == [["3"]])
    }

    @Test("a step that was changed after it had been applied is refused by name, and nothing else is applied")
    func changed() throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        _ = try migrate(conninfo, [first])
        let other = Migration(name: first.name, sql: first.sql + " ")
        #expect(throws: MigrationError.changed(name: "0001_a")) { try migrate(conninfo, [other, second]) }
        #expect(try server.run("select to_regclass('b')", in: conninfo) == [[nil]])
    }

    @Test("a step that fails leaves nothing, and those before it stay")
    func failed() throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        let broken = Migration(name: "0002_broken", sql: "create table c (id int); insert into nowhere values (1)")
        let error = #expect(throws: MigrationError.self) { try migrate(conninfo, [first, broken]) }
        guard case .failed("0002_broken", let cause) = error else { throw TestFailure("\(String(describing: error))") }
        #expect(cause.state == .undefinedTable)
        #expect(try server.run("select to_regclass('c'), to_regclass('a')", in: conninfo) == [[nil, "a"]])
        #expect(try server.run("select name from schema_migrations", in: conninfo) == [["0001_a"]])
        #expect(try migrate(conninfo, [first, second]).applied == ["0002_b"])
    }

    @Test("a step must not end its own transaction")
    func committing() throws {
        let conninfo = try PostgresServer.shared().freshDatabase()
        let rogue = Migration(name: "0001_rogue", sql: "commit")
        #expect(throws: MigrationError.endedTransaction(name: "0001_rogue")) { try migrate(conninfo, [rogue]) }
    }

    @Test("two steps of one name are refused")
    func duplicate() throws {
        let conninfo = try PostgresServer.shared().freshDatabase()
        #expect(throws: MigrationError.duplicate(name: "0001_a")) { try migrate(conninfo, [first, second, first]) }
    }

    @Test("a newer database is told and tolerated; an older one is not current")
    func current() async throws {
        let conninfo = try PostgresServer.shared().freshDatabase()
        let configuration = try PostgresConfiguration(conninfo)
        _ = try migrate(conninfo, [first, second])
        #expect(try migrate(conninfo, [first]).unknown == ["0002_b"])
        try await withDatabase(conninfo) { database in
            let applied = try await database.execute(Migrator.appliedNames)
            #expect(try Migrator(configuration: configuration, migrations: [first]).isCurrent(applied))
            let newer = Migrator(configuration: configuration, migrations: [first, Migration(name: "0009_z", sql: "")])
            #expect(try newer.pending(applied) == ["0009_z"])
            #expect(try !newer.isCurrent(applied))
        }
    }
}
