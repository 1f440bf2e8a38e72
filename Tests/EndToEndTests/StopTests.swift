import Foundation
import Postgres
import StrictJSON
import TestSupport
import Testing

/// Stop really stops, wherever it is said; and what was made until then comes, is told, and is billed.
@Suite("When the owner stops a completion")
struct StopTests {
    static let id = "0190b5a0-0000-7000-8000-000000000051"
    static let long = #""max_tokens":20000"#

    @Test("in the midst of its stream: what came stays, and it ends well, with `stopped`, usage and [DONE]")
    func midStream() async throws {
        try await Stack.with { stack in
            let client = try stack.complete("id=mid tokens=10000 interval=20", id: Self.id, parameters: Self.long)
            #expect(try client.readHead().status == 200)
            for index in 0..<5 { #expect(try client.readEvent()?.data == #"{"text":"k\#(index) "}"#) }
            try stack.stop(Self.id, upstream: "mid", ending: "client_closed_midstream")
            let rest = try client.readEvents()
            #expect(rest.last?.data == "[DONE]")
            let last = try JSONValue(parsing: try #require(rest.dropLast().last?.data))
            #expect(last["text"]?.string == "")
            #expect(last["finish_reason"]?.string == "stopped")
            let tokens = try #require(last["usage"]?["completion_tokens"]?.integer)
            #expect(tokens == 5 + rest.count - 2, "a frame a token")
            #expect(last["usage"]?["max_tokens_applied"]?.integer == 20_000)
            #expect(
                try stack.row("select outcome, finish_reason, completion_tokens, max_tokens_applied from usage")
                    == ["stopped", "stopped", "\(tokens)", "20000"])
            try stack.expectAllSettled()
            #expect(try stack.status(Self.id)["status"]?.string == "stopped")
            #expect(try stack.status(Self.id)["usage"] == last["usage"])
            let again = try stack.asUser("POST", "/api/complete/\(Self.id)/stop")
            #expect(again.status == 404 && again.problemCode == "not_found", "it has ended")
        }
    }

    @Test("before anything of the answer has come, it ends at once and well; nothing was made", arguments: [true, false])
    func beforeHead(stream: Bool) async throws {
        try await Stack.with { stack in
            let client = try stack.complete("id=silent stall_head=1", stream: stream, id: Self.id)
            _ = try stack.wait("the upstream to get the request") { try stack.upstreamRecords("silent").first }
            try stack.stop(Self.id, upstream: "silent", ending: "client_closed_before_headers")
            let answer = try client.readResponse()
            #expect(answer.status == 200)
            #expect(answer.head["x-completion-id"] == Self.id)
            if stream {
                let transcript = try StreamTranscript(answer.body)
                #expect(transcript.isDone && transcript.text == "" && transcript.frames.count == 1)
                #expect(transcript.frames.last?["finish_reason"]?.string == "stopped")
                #expect(transcript.usage?["completion_tokens"]?.integer == 0)
            } else {
                #expect(answer["text"]?.string == "" && answer["finish_reason"]?.string == "stopped")
            }
            try stack.expect("select outcome from usage", becomes: "stopped")
            #expect(try stack.rows("select completion_tokens from usage") == [["0"]])
            try stack.expectAllSettled()
        }
    }

    @Test("that is to come in one piece, the answer is the text so far")
    func onePiece() async throws {
        try await Stack.with { stack in
            let client = try stack.complete(
                "id=piece tokens=10000 interval=20", stream: false, id: Self.id, parameters: Self.long)
            try stack.expectTokens("piece")
            try stack.stop(Self.id, upstream: "piece", ending: "client_closed_midstream")
            let answer = try client.readResponse()
            #expect(answer.status == 200)
            #expect(answer["finish_reason"]?.string == "stopped")
            #expect(answer["choices.0.finish_reason"]?.string == "stopped")
            let tokens = try #require(answer["usage.completion_tokens"]?.integer)
            #expect(tokens > 2)
            #expect(answer["text"]?.string == (0..<tokens).map { "k\($0) " }.joined())
            try stack.expect("select outcome from usage", becomes: "stopped")
            #expect(try stack.rows("select completion_tokens from usage") == [["\(tokens)"]])
            try stack.expectAllSettled()
        }
    }

    @Test("by way of another replica, it is told within a second, not only with the next report of progress")
    func otherReplica() async throws {
        try await Stack.with(replicas: 2) { stack in
            let ids = (0..<5).map { "0190b5a0-0000-7000-8000-00000000006\($0)" }
            let clients = try ids.map { id in
                let client = try stack.complete(
                    "id=\(id) tokens=10000 interval=20", on: stack.replicas[0], id: id, parameters: Self.long)
                _ = try client.readHead()
                return client
            }
            // They were all reported just now: the next report is five seconds away.
            try stack.expect("select count(*) from reservations where completion_tokens > 0", becomes: "5")
            var delays: [Double] = []
            for id in ids {
                let asked = try stack.asUser("POST", "/api/complete/\(id)/stop", on: stack.replicas[1])
                #expect(asked.status == 202)
                let told = stack.now()
                #expect(try stack.upstreamEnding(id) == "client_closed_midstream")
                delays.append(try stack.upstreamEnd(id) - told)
            }
            // The median: one pause of a busy machine says nothing about the way the news takes.
            #expect(delays.sorted()[2] < 1, "\(delays)")
            for client in clients {
                let events = try client.readEvents()
                #expect(events.last?.data == "[DONE]")
                #expect(events.dropLast().last?.data?.contains(#""finish_reason":"stopped""#) == true)
            }
            try stack.expect("select count(*) from usage where outcome = 'stopped'", becomes: "5")
            try stack.expectAllSettled()
        }
    }

    @Test("and the news of it reaches no replica, the one that runs it learns it within five seconds all the same")
    func unheard() async throws {
        try await Stack.with { stack in
            // One that streams, and one that nothing has come of.
            let client = try stack.complete("id=deaf tokens=10000 interval=20", id: Self.id, parameters: Self.long)
            _ = try client.readHead()
            let silent = try stack.complete("id=deaf-silent stall_head=1")
            _ = try stack.wait("the upstream to get the request") { try stack.upstreamRecords("deaf-silent").first }
            #expect(try stack.rows("update reservations set stop_requested_at = now() returning 1").count == 2)
            let asked = stack.now()
            for id in ["deaf", "deaf-silent"] {
                _ = try stack.upstreamEnding(id)
                #expect(try stack.upstreamEnd(id) - asked < 5.5, "\(id)")
            }
            #expect(try client.readEvents().last?.data == "[DONE]")
            #expect(try StreamTranscript(silent.readResponse().body).isDone)
            try stack.expect("select count(*) from usage where outcome = 'stopped'", becomes: "2")
            try stack.expectAllSettled()
        }
    }

    @Test("between its admission and its start, the wish is not lost")
    func betweenAdmissionAndStart() async throws {
        try await Stack.with(replicas: 2) { stack in
            // Makes the user's row.
            #expect(try stack.completed("tokens=1").status == 200)
            let holder = try BlockingConnection(PostgresConfiguration(stack.database))
            // Where the machine has much to do, an admission gives up before its process is held: then once more.
            for attempt in 0..<10 {
                let id = "0190b5a0-0000-7000-8000-00000000007\(attempt)"
                try holder.run("begin; select from buckets for update")
                let client = try stack.complete("id=early tokens=10000 interval=20", id: id, parameters: Self.long)
                // The admission waits for the row; its process shall not learn how it went before the wish is there.
                try stack.expect(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
                    becomes: "1")
                stack.replicas[0].process.signal(SIGSTOP)
                try holder.run("commit")
                let row = "from reservations where completion_id = '\(id)'"
                try stack.expect("select count(*) \(row)", becomes: "1")
                let isAdmitted = try stack.rows("select 1 \(row)").count == 1
                let asked = try stack.asUser("POST", "/api/complete/\(id)/stop", on: stack.replicas[1])
                stack.replicas[0].process.signal(SIGCONT)
                let response = try client.readResponse()
                if response.status == 503, !isAdmitted || asked.status == 404 { continue }
                #expect(asked.status == 202)
                let stream = try StreamTranscript(response.body)
                #expect(stream.isDone && stream.frames.last?["finish_reason"]?.string == "stopped")
                try stack.expect("select count(*) from usage where outcome = 'stopped'", becomes: "1")
                return try stack.expectAllSettled()
            }
            Issue.record("no admission was in time")
        }
    }

    @Test("while its admission is still being decided, the replica that decides keeps the wish")
    func whileAdmitted() async throws {
        try await Stack.with { stack in
            // Makes the user's row.
            #expect(try stack.completed("tokens=1").status == 200)
            let holder = try BlockingConnection(PostgresConfiguration(stack.database))
            // Where the machine has much to do, an admission gives up before the row is free: then once more.
            for attempt in 0..<10 {
                let id = "0190b5a0-0000-7000-8000-00000000008\(attempt)"
                try holder.run("begin; select from buckets for update")
                let client = try stack.complete("id=undecided tokens=10000 interval=20", id: id, parameters: Self.long)
                try stack.expect(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
                    becomes: "1")
                let asked = try stack.asUser("POST", "/api/complete/\(id)/stop")
                try holder.run("commit")
                let response = try client.readResponse()
                if response.status == 503 { continue }
                #expect(asked.status == 202)
                let stream = try StreamTranscript(response.body)
                #expect(stream.isDone && stream.frames.last?["finish_reason"]?.string == "stopped")
                #expect(try stack.upstreamRecords("undecided").isEmpty, "nobody was asked")
                try stack.expect("select count(*) from usage where outcome = 'stopped'", becomes: "1")
                return try stack.expectAllSettled()
            }
            Issue.record("no admission was in time")
        }
    }

    @Test("while the database is away, the replica that runs it ends it, and bills it later")
    func databaseKilled() async throws {
        let postgres = try await PostgresServer.own(
            settings: ["synchronous_commit": "on", "wal_level": "replica", "full_page_writes": "on"])
        try await Stack.with(postgres: postgres) { stack in
            let client = try stack.complete("id=away tokens=10000 interval=20", id: Self.id, parameters: Self.long)
            _ = try client.readHead()
            for _ in 0..<3 { _ = try client.readEvent() }
            try postgres.kill()
            try stack.stop(Self.id, upstream: "away", ending: "client_closed_midstream")
            #expect(try client.readEvents().last?.data == "[DONE]")
            let again = try stack.asUser("POST", "/api/complete/\(Self.id)/stop")
            #expect(again.status == 404, "its bill waits here: it has ended")
            let unknown = try stack.asUser("POST", "/api/complete/\(BadInputTests.id)/stop")
            #expect(unknown.status == 503 && unknown.problemCode == "database_unavailable")
            #expect(unknown["retryable"]?.bool == true, "asking twice is asking once")
            try postgres.start()
            try stack.expect("select outcome from usage", becomes: "stopped")
            try stack.expectAllSettled()
        }
        try postgres.remove()
    }

    @Test("of a process that died, the wish is taken, twice as well; the others settle it")
    func deadProcess() async throws {
        try await Stack.with(replicas: 2) { stack in
            let client = try stack.complete("tokens=10000 interval=20", id: Self.id, parameters: Self.long)
            _ = try client.readHead()
            try stack.replicas[0].process.kill()
            for _ in 0..<2 {
                let asked = try stack.asUser("POST", "/api/complete/\(Self.id)/stop", on: stack.replicas[1])
                #expect(asked.status == 202)
                #expect(asked["id"]?.string == Self.id && asked["status"]?.string == "stopping")
            }
            #expect(try stack.status(Self.id, on: stack.replicas[1])["status"]?.string == "running", "nobody knows better yet")
        }
    }
}

extension Stack {
    /// Seconds since 1970, by the clock of the upstream's records.
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// When the upstream saw its latest connection of this id end.
    func upstreamEnd(_ id: String) throws -> Double {
        let nanoseconds = try upstreamRecords(id).last?["ended_ns"]?.number?.integer
        return Double(try #require(nanoseconds)) / 1e9
    }

    /// Stops a completion over a connection of its own, and the upstream sees its connection closed in this way within a second.
    func stop(_ id: String, upstream record: String, ending: String) throws {
        let asked = now()
        let answer = try asUser("POST", "/api/complete/\(id)/stop")
        #expect(answer.status == 202)
        #expect(answer.text == #"{"id":"\#(id)","status":"stopping"}"#)
        #expect(try upstreamEnding(record) == ending)
        #expect(try upstreamEnd(record) - asked < 1)
    }

    /// What the API says of a completion.
    func status(_ id: String, on replica: Replica? = nil) throws -> JSONValue {
        let answer = try asUser("GET", "/api/complete/\(id)", on: replica)
        #expect(answer.status == 200)
        return answer.json
    }

    /// Waits until the upstream has sent a few tokens.
    func expectTokens(_ record: String) throws {
        _ = try wait("the upstream to send tokens") {
            try upstreamRecords(record).first { ($0["tokens_sent"]?.number?.integer ?? 0) > 2 }
        }
    }
}
