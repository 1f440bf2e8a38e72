import Postgres
import TestSupport
import Testing

@Suite("Connections to the database come and go")
struct ConnectionLifeTests {
    @Test("a connection is replaced when its lifetime is over, and no call notices")
    func lifetime() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) {
            $0.lifetime = .milliseconds(300)
        } _: { database in
            let first = try await database.backend()
            let end = ContinuousClock.now + .seconds(5)
            while try await database.backend() == first, ContinuousClock.now < end {}
            #expect(try await database.backend() != first)
        }
    }

    @Test("a connection runs its rehearsal before any call, its replacement as well, and is used although the rehearsal fails")
    func rehearsal() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try server.run("create table item (id bigint)", in: conninfo)
        let rehearse = PostgresStatement("rehearse", "insert into item values (1)")
        try await withDatabase(conninfo, rehearsal: [rehearse]) {
            $0.lifetime = .milliseconds(300)
        } _: { database in
            let first = try await database.backend()
            #expect(try await database.execute(.count).int(0, 0) >= 1)
            let end = ContinuousClock.now + .seconds(5)
            while try await database.backend() == first, ContinuousClock.now < end {}
            #expect(try await database.backend() != first)
            #expect(try await database.execute(.count).int(0, 0) >= 2)
        }
        try server.run("drop table item", in: conninfo)
        try await withDatabase(conninfo, rehearsal: [rehearse]) { database in
            let echo = try await database.execute(.echo, [.int(7)]).int(0, 0)
            #expect(echo == 7)
        }
    }

    @Test("after a table has changed, statements that were prepared before work again")
    func changedTable() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        let all = PostgresStatement("all", "select * from item", .read)
        try server.run("create table item (id bigint); insert into item values (1)", in: conninfo)
        try await withDatabase(conninfo) { database in
            _ = try await database.execute(all)
            try server.run("alter table item add column name text", in: conninfo)
            let end = ContinuousClock.now + .seconds(5)
            while try await database.timed(all).error != nil, ContinuousClock.now < end {}
            #expect(try await database.execute(all).columns == 2)
        }
    }
}
