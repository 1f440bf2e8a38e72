import StrictJSON
import TestSupport
import Testing

/// What breaks around a server, and how soon it is well again: nobody restarts it.
@Suite("When something breaks")
struct FaultTests {
    /// Beyond the promise, for machines that have much to do.
    static let margin = Duration.seconds(1)

    @Test(
        "the database: admissions are refused within 1 s, other requests within 2 s, streams go on; all is well when it is back")
    func databaseKilled() async throws {
        // What was committed has to be there after a crash; nothing survives a crash of the machine, which is not tested.
        let durable = ["synchronous_commit": "on", "wal_level": "replica", "full_page_writes": "on"]
        let postgres = try await PostgresServer.own(settings: durable)
        try await Stack.with(postgres: postgres) { stack in
            let running = try stack.complete(
                "id=survivor tokens=10000 interval=20 completion_tokens=10000", parameters: #""max_tokens":20000"#)
            _ = try running.readHead()
            for _ in 0..<3 { _ = try running.readEvent() }
            let ended = try stack.complete("id=ends tokens=60 interval=20")
            _ = try ended.readHead()

            try postgres.kill()
            for round in 0..<3 {
                for isStream in [true, false] {
                    let begun = ContinuousClock.now
                    let refused = try stack.completed("id=refused tokens=1", stream: isStream)
                    #expect(refused.status == 503, "round \(round)")
                    #expect(refused.problemCode == "database_unavailable")
                    #expect(refused.head["retry-after"] != nil)
                    #expect(ContinuousClock.now - begun < .seconds(1) + Self.margin)
                }
                for (method, path) in [
                    ("GET", "/api/me"), ("GET", "/api/presets"), ("DELETE", "/api/presets/\(BadInputTests.id)"),
                    ("GET", "/api/limits"), ("GET", "/api/models"), ("GET", "/readyz"),
                ] {
                    let begun = ContinuousClock.now
                    let answer = try stack.asUser(method, path)
                    #expect(answer.status == 503, "\(path)")
                    #expect(answer.problemCode == "database_unavailable")
                    #expect(ContinuousClock.now - begun < .seconds(2) + Self.margin, "\(path)")
                }
                for path in ["/healthz", "/metrics", "/api/info"] {
                    #expect(try stack.asUser("GET", path).status == 200, "\(path) needs no database")
                }
            }
            // What needs no decision goes on and ends well.
            #expect(try ended.readEvents().last?.data == "[DONE]")
            for _ in 0..<20 { #expect(try running.readEvent()?.data != nil) }
            running.close()
            #expect(try stack.upstreamEnding("survivor") == "client_closed_midstream")
            #expect(try stack.upstreamRecords("refused").isEmpty, "nothing is asked of the upstream unreserved")

            try postgres.start()
            _ = try stack.wait("completions to work again", within: .seconds(3) + Self.margin) {
                try stack.completed("tokens=2", stream: false).status == 200 ? true : nil
            }
            // Every loop has its own way to the database and finds it back by itself.
            _ = try stack.wait("readiness", within: .seconds(3) + Self.margin) {
                try stack.ask("GET", "/readyz").status == 200 ? true : nil
            }
            try stack.expect("select count(*) from usage where outcome in ('client_gone', 'done')", becomes: "3")
            try stack.expect("select count(*) from usage where outcome = 'client_gone' and completion_tokens > 20", becomes: "1")
            try stack.expectAllSettled()
        }
        try postgres.remove()
    }

    @Test("the database does not answer, though it is there: nobody waits longer, and it is taken up again")
    func databaseSuspended() async throws {
        let postgres = try await PostgresServer.own()
        try await Stack.with(postgres: postgres) { stack in
            #expect(try stack.completed("tokens=1").status == 200)
            try postgres.suspend()
            defer { try? postgres.resume() }
            for _ in 0..<2 {
                var begun = ContinuousClock.now
                let refused = try stack.completed("tokens=1")
                #expect(refused.status == 503)
                #expect(ContinuousClock.now - begun < .seconds(1) + Self.margin)
                begun = ContinuousClock.now
                let answer = try stack.asUser("GET", "/api/me")
                #expect(answer.status == 503)
                #expect(ContinuousClock.now - begun < .seconds(2) + Self.margin)
            }
            try postgres.resume()
            _ = try stack.wait("completions to work again", within: .seconds(10) + Self.margin) {
                try stack.completed("tokens=2").status == 200 ? true : nil
            }
            // Admissions that were given up are void, whatever the database made of them.
            try stack.expectAllSettled()
        }
        try postgres.remove()
    }

    @Test("a replica is killed: another gives its slots back and bills what is known", .timeLimit(.minutes(3)))
    func replicaKilled() async throws {
        try await Stack.with(replicas: 2, environment: ["MAX_CONCURRENT_STREAMS": "1"]) { stack in
            let id = "0190b5a0-0000-7000-8000-000000000009"
            let running = try stack.complete(
                "id=orphan tokens=10000 interval=50", on: stack.replicas[0], id: id, parameters: #""max_tokens":20000"#)
            _ = try running.readHead()
            // What has been used is told to the database soon after the first output.
            try stack.expect("select completion_tokens > 0 from reservations", becomes: "t", within: .seconds(15))
            try stack.replicas[0].process.kill()
            #expect(try stack.upstreamEnding("orphan") == "client_closed_midstream")
            let other = stack.replicas[1]
            #expect(try stack.completed("tokens=1", on: other).problemCode == "concurrency_limit", "the slot is still held")
            try stack.expect("select count(*) from usage", becomes: "1", within: .seconds(60))
            let row = try stack.row("select completion_id, outcome, completion_tokens from usage")
            #expect(row[0] == id)
            #expect(row[1] == "process_lost")
            let billed = try #require(row[2].flatMap { Int($0) })
            let sent = try #require(try stack.upstreamRecords("orphan").last?["tokens_sent"]?.number?.integer)
            #expect(billed > 0 && billed <= sent)
            let status = try stack.status(id, on: other)
            #expect(status["status"]?.string == "process_lost" && status["usage.completion_tokens"]?.integer == billed)
            #expect(status["usage.max_tokens_applied"]?.integer == 20_000)
            try stack.expectAllSettled()
            #expect(try stack.completed("tokens=1", on: other).status == 200)
        }
    }
}
