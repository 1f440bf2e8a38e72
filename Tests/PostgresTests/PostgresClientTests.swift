import EventLoop
import PlaygroundCore
import TestSupport
import Testing

@testable import Postgres

@Suite
struct PostgresClientTests {
    @Test("pipelined calls get their own answers")
    func order() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            try await withThrowingTaskGroup { group in
                for number in 0..<500 {
                    group.addTask {
                        let answer = try await database.execute(.echo, [.int(number)])
                        #expect(try answer.int(0, 0) == Int64(number))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("what is sent comes back the same, whether results are texts or in binary form")
    func forms() async throws {
        let columns = """
            select $1::bigint, $2::int, (-3)::smallint, $3::float8, $4::boolean, not $4::boolean, $5::uuid, $6::bytea, $7::text,
                null::bigint, null::text, cardinality($8::text[]), ($9::bigint[])[2], ($9::bigint[])[1], ($10::uuid[])[1], ($8::text[])[2]
            """
        let uuid = UUIDBytes(high: 0x0123_4567_89AB_7DEF, low: 0x8000_0000_0000_00FF)
        let values: [PostgresValue] = [
            .int(Int64.min), .int(-7), .double(-0.1), .bool(true), .uuid(uuid), .bytes([0, 255]), .text("größer, \"x\""),
            .textArray(["", "zwei", "a,b"]), .intArray([nil, .max]), .uuidArray([uuid, nil]),
        ]
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            for statement in [
                PostgresStatement(name: "as_text", sql: columns, effect: .read),
                PostgresStatement(name: "as_binary", sql: columns, effect: .read, form: .binary),
            ] {
                let row = try await database.execute(statement, values)
                #expect(
                    try [row.int(0, 0), row.int(0, 1), row.int(0, 2), row.int(0, 11), row.int(0, 12)] == [.min, -7, -3, 3, .max])
                #expect(try row.double(0, 3) == -0.1)
                #expect(try [row.bool(0, 4), row.bool(0, 5)] == [true, false])
                #expect(try [row.uuid(0, 6), row.uuid(0, 14)] == [uuid, uuid])
                #expect(try row.bytes(0, 7) == [0, 255])
                #expect(try [row.string(0, 8), row.string(0, 15)] == ["größer, \"x\"", "zwei"])
                #expect(try row.intIfPresent(0, 9) == nil && row.stringIfPresent(0, 10) == nil && row.intIfPresent(0, 13) == nil)
                #expect(throws: PostgresError.self) { try row.bool(0, 0) }
                #expect(throws: PostgresError.self) { try row.uuid(0, 8) }
            }
        }
    }

    @Test("a call that fails affects none of those in flight beside it")
    func isolation() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            try await withThrowingTaskGroup { group in
                for number in 0..<300 {
                    group.addTask {
                        if number % 3 > 0 {
                            let answer = try await database.execute(.divide, [.int(1)])
                            #expect(try answer.int(0, 0) == 1)
                        } else {
                            let failure = try await database.timed(.divide, [.int(0)])
                            #expect(failure.error?.state == SQLState(rawValue: "22012"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a call's tenant is its own: gone with its transaction, also where that failed, with others pipelined around it")
    func tenants() async throws {
        let tenant = PostgresStatement("tenant", "select current_setting('playground.tenant', true), 1 / $1::bigint")
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            try await withThrowingTaskGroup { group in
                for number in 1...400 {
                    group.addTask {
                        let user = number % 3 == 0 ? nil : UserID(UUIDBytes(high: 0, low: UInt64(number)))
                        let divisor = PostgresValue.int(number % 5 == 0 ? 0 : 1)
                        do {
                            let answer = try await database.execute(tenant, [divisor], tenant: user)
                            #expect((try answer.stringIfPresent(0, 0) ?? "") == (user?.description ?? ""))
                        } catch let error as PostgresError {
                            #expect(number % 5 == 0 && error.state == SQLState(rawValue: "22012"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("every call of a statement that cannot be prepared hears why, and others go on")
    func unpreparable() async throws {
        let bad = PostgresStatement("bad", "select * from nowhere")
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            try await withThrowingTaskGroup { group in
                for number in 0..<20 {
                    group.addTask {
                        let failure = try await database.timed(bad)
                        #expect(failure.error?.state == .undefinedTable)
                        let answer = try await database.execute(.echo, [.int(number)])
                        #expect(try answer.int(0, 0) == Int64(number))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a statement that could not be prepared is prepared again when it is next needed")
    func preparedLater() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try await withDatabase(conninfo) { database in
            let failure = try await database.timed(.count)
            #expect(failure.error?.state == .undefinedTable)
            try server.run("create table item (id bigint primary key)", in: conninfo)
            #expect(try await database.execute(.count).int(0, 0) == 0)
        }
    }

    @Test("a transaction takes effect as a whole or not at all")
    func atomicity() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try server.run("create table item (id bigint primary key)", in: conninfo)
        try await withDatabase(conninfo) { database in
            let results = try await database.transaction([(.insert, [.int(1)]), (.insert, [.int(2)]), (.count, [])])
            #expect(results.count == 3)
            #expect(results[0].affected == 1)
            #expect(try results[2].int(0, 0) == 2)
            let failure = try await database.timed([(.insert, [.int(3)]), (.insert, [.int(1)])])
            #expect(failure.error?.state == .uniqueViolation)
            #expect(failure.error?.constraint == "item_pkey")
            #expect(try await database.execute(.count).int(0, 0) == 2)
        }
    }

    @Test("a refusal at commit fails the call, and the connection goes on")
    func deferredConstraint() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try server.run("create table item (id bigint unique deferrable initially deferred)", in: conninfo)
        try await withDatabase(conninfo) { database in
            let backend = try await database.backend()
            let failure = try await database.timed([(.insert, [.int(1)]), (.insert, [.int(1)])])
            #expect(failure.error?.state == .uniqueViolation)
            #expect(try await database.execute(.count).int(0, 0) == 0)
            #expect(try await database.backend() == backend)
        }
    }

    @Test("a setting made for a transaction does not outlive it")
    func localSettings() async throws {
        let set = PostgresStatement("set", "select set_config('app.user', $1, true)")
        let get = PostgresStatement("get", "select current_setting('app.user', true)", .read)
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            let inside = try await database.transaction([(set, [.text("ann")]), (get, [])])
            #expect(try inside[1].string(0, 0) == "ann")
            let outside = try await database.execute(get)
            #expect(try outside.string(0, 0) == "")
        }
    }

    @Test("a call past its deadline throws at once, and what comes for it later goes to nobody")
    func deadline() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            let backend = try await database.backend()
            let late = try await database.timed(.sleep, [.double(0.6)], deadline: .milliseconds(100))
            #expect(late.error == .timedOut)
            #expect(late.duration < .milliseconds(400))
            #expect(try await database.execute(.echo, [.int(7)]).int(0, 0) == 7)
            #expect(try await database.backend() == backend)
        }
    }

    @Test("slow calls hold up no hot ones")
    func lanes() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            async let slow = database.timed(.sleep, [.double(1)], lane: .slow)
            _ = try await database.backend()
            let hot = try await database.timed(.echo, [.int(1)])
            #expect(hot.duration < .milliseconds(500))
            let finished = try await slow
            #expect(finished.error == nil)
            #expect(finished.duration >= .seconds(1))
        }
    }

    @Test("the slow lane opens with its first call, and closes when it has had none for a while")
    func idleLane() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        let connections: @Sendable () throws -> [[String?]] = {
            try server.run(
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
                in: conninfo)
        }
        try await withDatabase(conninfo) {
            $0.lanes.slowIdle = .seconds(1)
        } _: { database in
            for _ in 0..<2 {
                _ = try await database.execute(.echo, [.int(1)])
                let before = try connections()
                _ = try await database.execute(.echo, [.int(1)], lane: .slow)
                let during = try connections()
                #expect(before == [["1"]])
                #expect(during == [["2"]])
                let isClosed = try await withLoop { loop in
                    await loop.io.wait(until: { (try? connections()) == [["1"]] }, deadline: .seconds(5))
                }
                #expect(isClosed)
            }
        }
    }

    @Test("a client that is given another's slow lane has none of its own: their slow calls take turns on one connection")
    func sharedLane() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try await withDatabase(conninfo) { database in
            let lane = try await database.loop.run { [client = database.client] loop in
                SharedLane(of: client.value(on: loop), on: loop)
            }
            let configuration = try PostgresConfiguration(conninfo)
            try await withLoop { loop in
                let other = PostgresClient(configuration: configuration, io: loop.io, logger: .silent, slowLane: lane)
                let backend = try await database.execute(.backend, lane: .slow).int(0, 0)
                #expect(try await other.execute(.backend, lane: .slow).int(0, 0) == backend)
                #expect(try await other.execute(.backend).int(0, 0) != backend)
                await #expect(throws: PostgresError.self) { try await other.execute(.divide, [.int(0)], lane: .slow) }
                let tenant = UserID(UUIDBytes(high: 1, low: 2))
                let setting = PostgresStatement("tenant", "select current_setting('playground.tenant', true)", .read)
                #expect(try await other.execute(setting, tenant: tenant, lane: .slow).string(0, 0) == tenant.description)
                let count = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                #expect(try server.run(count, in: conninfo) == [["3"]])
                await other.close()
            }
        }
    }

    @Test("a full queue refuses at once")
    func overloaded() async throws {
        try await withDatabase(PostgresServer.shared().freshDatabase()) {
            $0.lanes.slowWaiting = 1
        } _: { database in
            _ = try await database.execute(.echo, [.int(1)], lane: .slow)
            let failures = try await withThrowingTaskGroup { group in
                for _ in 0..<3 {
                    group.addTask { try await database.timed(.sleep, [.double(0.3)], lane: .slow) }
                }
                return try await group.reduce(into: []) { $0.append($1) }.filter { $0.error != nil }
            }
            #expect(failures.map(\.error) == [.overloaded])
            #expect(failures.allSatisfy { $0.duration < .milliseconds(250) })
        }
    }

    @Test("the victim of a deadlock is run again")
    func deadlock() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try server.run("create table item (id bigint primary key, changes int default 0)", in: conninfo)
        try server.run("insert into item values (1), (2)", in: conninfo)
        let change = PostgresStatement("change", "update item set changes = changes + 1 where id = $1")
        try await withDatabase(conninfo) {
            $0.lanes.slowConnections = 2
        } _: { database in
            try await withThrowingTaskGroup { group in
                for order in [[1, 2], [2, 1]] {
                    group.addTask {
                        _ = try await database.transaction(
                            [(change, [.int(order[0])]), (.sleep, [.double(0.3)]), (change, [.int(order[1])])], lane: .slow)
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(try server.run("select changes from item order by id", in: conninfo) == [["2"], ["2"]])
    }

    @Test("text with U+0000 is refused, not cut short")
    func zero() async throws {
        let text = PostgresStatement("text", "select $1::text", .read)
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            for value in [PostgresValue.text("a\0b"), .textArray(["a\0b"])] {
                let failure = try await database.timed(text, [value])
                #expect(failure.error == .invalidValue("text with U+0000"))
                #expect(failure.error?.serviceError.code == .invalidRequest)
            }
        }
    }

    @Test("more bytes than the socket takes are sent and read back while the server answers")
    func largeValues() async throws {
        let text = PostgresStatement("text", "select $1::text", .read)
        let value = String(repeating: "0123456789abcdef", count: 1 << 18)
        try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
            try await withThrowingTaskGroup { group in
                for _ in 0..<3 {
                    group.addTask {
                        let answer = try await database.execute(text, [.text(value)], deadline: .seconds(30))
                        #expect(try answer.string(0, 0) == value)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("two statements of one name stop the program")
    func sameName() async throws {
        await #expect(processExitsWith: .failure) {
            try await withDatabase(PostgresServer.shared().freshDatabase()) { database in
                _ = try await database.execute(.echo, [.int(1)])
                _ = try await database.execute(PostgresStatement("echo", "select 2"))
            }
        }
    }

    @Test("what is sent right behind a call comes after it, in a transaction of its own, and the deadline holds for both")
    func rightBehind() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try server.run("create table item (id bigint)", in: conninfo)
        let follow = PostgresStatement("follow", "insert into item select 100 + count(*) from item")
        try await withDatabase(conninfo) { database in
            try await database.loop.run { loop in
                let client = database.client.value(on: loop)
                let (_, end) = try await client.execute(.insert, [.int(1)], then: follow, deadline: .seconds(5))
                try end.get()
                await #expect(throws: PostgresError.self) {
                    try await client.execute(.divide, [.int(0)], then: follow, deadline: .seconds(5))
                }
                await #expect(throws: PostgresError.timedOut) {
                    try await client.execute(.sleep, [.double(0.3)], then: follow, deadline: .milliseconds(50))
                }
                // Behind both on the one connection there is.
                #expect(try await client.execute(.count).int(0, 0) == 4)
            }
        }
        #expect(try server.run("select id from item order by id", in: conninfo) == [["1"], ["101"], ["102"], ["103"]])
    }
}
