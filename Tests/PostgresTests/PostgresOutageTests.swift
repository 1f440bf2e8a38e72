import EventLoop
import Foundation
import Glibc
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite
struct PostgresOutageTests {
    @Test("after a lost connection statements are prepared again on the next one")
    func reconnect() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try await withDatabase(conninfo) { database in
            let backend = try await database.backend()
            try server.run("select pg_terminate_backend(\(backend))", in: conninfo)
            #expect(try await database.wait(available: false))
            #expect(try await database.execute(.echo, [.int(1)]).int(0, 0) == 1)
            #expect(try await database.backend() != backend)
        }
    }

    @Test("a write that was sent when the server died has an unknown outcome; a read just failed")
    func unknownOutcome() async throws {
        let server = try await PostgresServer.own()
        defer { try? server.remove() }
        let write = PostgresStatement("slow write", "select pg_sleep(5)", .write)
        for (statement, values, isWrite) in [(write, [], true), (PostgresStatement.sleep, [PostgresValue.double(5)], false)] {
            try await withDatabase(server.freshDatabase()) { database in
                let backend = try await database.backend()
                async let call = database.timed(statement, values, deadline: .seconds(10))
                // The server itself says when the statement runs.
                let running = "select 1 from pg_stat_activity where pid = \(backend) and wait_event = 'PgSleep'"
                try await offPool { while try server.run(running, in: server.conninfo(database: "postgres")).isEmpty {} }
                kill(pid_t(backend), SIGKILL)
                let lost = try await call
                #expect(lost.duration < .seconds(4))
                if isWrite {
                    #expect(lost.error == .unknownOutcome)
                    #expect(lost.error?.serviceError.retryable == false)
                } else {
                    guard case .unavailable = lost.error else { throw TestFailure("\(lost)") }
                }
                #expect(try await database.wait(available: true))
            }
        }
    }

    @Test("across a restart every failure is typed and quick, and the first success follows soon")
    func restart() async throws {
        let server = try await PostgresServer.own()
        defer { try? server.remove() }
        let record = Record()
        try await withDatabase(server.freshDatabase()) {
            $0.lanes.hotConnections = 2
        } _: { database in
            async let interruption: Void = offPool {
                try record.wait("calls succeed") { $0.count { $0.call.error == nil } >= 20 }
                try server.stopImmediately()
                // Calls that were under way or waited take their time; then most are refused at once.
                try record.wait("the outage is known") { outcomes in
                    let failures = outcomes.count { $0.call.error != nil }
                    return failures >= 100 && outcomes.count { $0.call.isQuickFailure } > failures / 2
                }
                try server.start()
                record.accepted.withLock { $0 = .now }
            }
            try await database.loop.run { loop in
                // About 100 calls a second, each whatever became of the others, until one succeeds after the server is back.
                while !record.hasRecovered {
                    for _ in 0..<2 {
                        record.started.add(1, ordering: .relaxed)
                        loop.spawn { loop in
                            let outcome = await database.client.value(on: loop).timed(
                                [(.echo, [.int(1)])], lane: .hot, deadline: .seconds(2))
                            record.outcomes.withLock { $0.append((.now, outcome)) }
                        }
                    }
                    await loop.io.pause(.milliseconds(10))
                }
                let started = record.started.load(ordering: .relaxed)
                #expect(await loop.io.wait { record.outcomes.withLock { $0.count } == started })
            }
            try await interruption
            // Two hot connections and the one that asks, and no slow one without calls: none is missing, none has leaked.
            let seen = try await offPool {
                let observer = try BlockingConnection(PostgresConfiguration(server.conninfo(database: "postgres")))
                let connections = "select count(*) from pg_stat_activity where application_name = 'playground-api'"
                let end = ContinuousClock.now + .seconds(5)
                while try observer.run(connections).int(0, 0) != 3, ContinuousClock.now < end {}
                return try observer.run(connections).int(0, 0)
            }
            #expect(seen == 3)
        }
        let all = record.outcomes.withLock { $0 }
        let start = try #require(record.accepted.withLock { $0 })
        let failures = all.map(\.call).filter { $0.error != nil }
        #expect(!failures.isEmpty)
        #expect(failures.allSatisfy { $0.error?.serviceError.code == .databaseUnavailable })
        #expect(all.allSatisfy { $0.call.duration < .milliseconds(2_200) })
        let successes = all.filter { $0.call.error == nil && $0.at > start - .milliseconds(100) }
        let recovery = try #require(successes.map(\.at).min()) - start
        #expect(recovery < .seconds(3))
    }

    private final class Record: Sendable {
        let started = Atomic<Int>(0)
        let outcomes = Mutex<[(at: ContinuousClock.Instant, call: CallOutcome)]>([])
        let accepted = Mutex<ContinuousClock.Instant?>(nil)

        /// A call has succeeded since the server accepts again, or none has for too long.
        var hasRecovered: Bool {
            guard let accepted = accepted.withLock(\.self) else { return false }
            return accepted.duration(to: .now) > .seconds(4)
                || outcomes.withLock { $0.contains { $0.call.error == nil && $0.at > accepted } }
        }

        /// Blocks until `condition` holds of the outcomes.
        func wait(
            _ what: String, until condition: ([(at: ContinuousClock.Instant, call: CallOutcome)]) -> Bool
        ) throws {
            let end = ContinuousClock.now + .seconds(15)
            while !outcomes.withLock({ condition($0) }) {
                if ContinuousClock.now > end {
                    // Otherwise the calls would go on for ever.
                    accepted.withLock { $0 = end }
                    throw TestFailure("waited in vain until \(what)")
                }
                usleep(5_000)
            }
        }
    }

    @Test("a server that stops answering holds no call beyond its deadline, and is used again when it goes on")
    func frozen() async throws {
        let server = try await PostgresServer.own()
        defer { try? server.remove() }
        try await withDatabase(server.freshDatabase()) { database in
            _ = try await database.backend()
            try server.suspend()
            let first = try await database.timed(.echo, [.int(1)], deadline: .seconds(1))
            #expect(first.error == .timedOut)
            #expect(first.duration < .milliseconds(1_300))
            // 5 s overdue: the connection is given up.
            #expect(try await database.wait(available: false, deadline: .seconds(7)))
            let second = try await database.timed(.echo, [.int(1)], deadline: .seconds(1))
            #expect(second.duration < .milliseconds(1_300))
            #expect(second.error?.serviceError.code == .databaseUnavailable)
            try server.resume()
            #expect(try await database.wait(available: true, deadline: .seconds(5)))
            #expect(try await database.execute(.echo, [.int(3)]).int(0, 0) == 3)
        }
    }

    @Test("attempts that overlap and fail one after the other are not the last ones")
    func overlappingAttempts() async throws {
        let server = try await PostgresServer.own()
        defer { try? server.remove() }
        try await withDatabase(server.freshDatabase()) {
            $0.connectTimeout = .seconds(1)
        } _: { database in
            _ = try await database.backend()
            _ = try await database.execute(.backend, lane: .slow)
            try server.suspend()
            // Each connection is given up 5 s after its call: the second attempt begins while the first is being made.
            _ = try await database.timed(.echo, [.int(1)], deadline: .milliseconds(500))
            _ = try await database.timed(.echo, [.int(1)], lane: .slow, deadline: .milliseconds(100))
            // Two were connected before; the kernel completes further ones for a server that stands still.
            try await offPool {
                var seen: Set<UInt16> = []
                let end = ContinuousClock.now + .seconds(20)
                while seen.count < 6 {
                    guard ContinuousClock.now < end else { throw TestFailure("no attempt after \(seen.count - 2)") }
                    seen.formUnion(try server.clientPorts())
                    usleep(10_000)
                }
            }
            try server.resume()
            #expect(try await database.wait(available: true, deadline: .seconds(5)))
        }
    }

    @Test("without a server a call waits for its deadline first, and later ones fail at once")
    func absent() async throws {
        let conninfo = "postgresql://someone:secret@127.0.0.1:\(try freePort())/none"
        try await withLoop { loop in
            let client = PostgresClient(configuration: try PostgresConfiguration(conninfo), io: loop.io, logger: .silent)
            let first = await client.timed([(.backend, [])], lane: .hot, deadline: .milliseconds(1_200))
            #expect(first.error == .timedOut)
            // Counted from the loop's clock, which stands still while the loop works.
            #expect(first.duration > .milliseconds(1_000))
            let second = await client.timed([(.backend, [])], lane: .hot, deadline: .seconds(2))
            #expect(second.duration < .milliseconds(100))
            guard case .unavailable(let cause) = second.error else { throw TestFailure("\(second)") }
            #expect(!cause.contains("secret"))
            #expect(second.error?.serviceError.code == .databaseUnavailable)
            await client.close()
        }
    }

    @Test("of several hosts the next is tried when one does not answer")
    func severalHosts() async throws {
        let server = try PostgresServer.shared()
        let conninfo = "host=127.0.0.1,127.0.0.1 port=\(try freePort()),\(server.port) user=postgres dbname=postgres"
        try await withDatabase(conninfo) { database in
            let answer = try await database.execute(.echo, [.int(1)])
            #expect(try answer.int(0, 0) == 1)
        }
    }
}

extension PostgresServer {
    /// The ports of the connections to it that the kernel knows of, those that their clients have closed included.
    fileprivate func clientPorts() throws -> Set<UInt16> {
        // The kernel gives a page at a time: a short read is not the end.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/net/tcp"))
        var text: [UInt8] = []
        while let part = try file.read(upToCount: 4096), !part.isEmpty { text += part }
        return Set(
            String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
                let words = line.split(separator: " ")
                guard words.count > 2, words[2].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }) == port else {
                    return nil
                }
                return words[1].split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
            })
    }
}

extension CallOutcome {
    /// Refused without a wait.
    fileprivate var isQuickFailure: Bool { error != nil && duration < .milliseconds(100) }
}
