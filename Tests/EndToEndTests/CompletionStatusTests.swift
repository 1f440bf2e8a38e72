import Foundation
import StrictJSON
import TestSupport
import Testing

/// Whoever lost an answer still learns what became of the request and what it has cost.
@Suite("Asked what became of a completion")
struct CompletionStatusTests {
    static let id = "0190b5a0-0000-7000-8000-000000000071"

    @Test("that runs, the replica that runs it tells what it has used this moment, and another one what was last reported")
    func running() async throws {
        try await Stack.with(replicas: 2) { stack in
            let preset = try stack.preset()
            let client = try stack.complete(
                "id=runs tokens=10000 interval=20 prompt_tokens=9", id: Self.id,
                parameters: #""max_tokens":20000,"preset_id":"\#(preset)""#)
            _ = try client.readHead()
            for _ in 0..<5 { _ = try client.readEvent() }
            let status = try stack.status(Self.id)
            #expect(status.object?.keys == ["id", "status", "model", "preset_id", "started_at", "usage"])
            #expect(status["id"]?.string == Self.id && status["status"]?.string == "running")
            #expect(status["preset_id"]?.string == preset)
            #expect(status["usage.max_tokens_applied"]?.integer == 20_000)
            #expect(status["usage.source"]?.string == "counted")
            let used = try #require(status["usage.completion_tokens"]?.integer)
            #expect(used >= 5)
            for _ in 0..<5 { _ = try client.readEvent() }
            #expect(try #require(try stack.status(Self.id)["usage.completion_tokens"]?.integer) > used)
            // The first report comes within two seconds of the first output, the later ones every five.
            _ = try stack.wait("another replica to know", within: .seconds(3)) {
                let elsewhere = try stack.status(Self.id, on: stack.replicas[1])
                #expect(elsewhere["status"]?.string == "running" && elsewhere["usage.source"]?.string == "estimated")
                return (elsewhere["usage.completion_tokens"]?.integer ?? 0) > 0 ? true : nil
            }
        }
    }

    @Test("that has ended, in whatever way, every replica tells how, and the numbers of the bill")
    func ended() async throws {
        try await Stack.with(replicas: 2) { stack in
            var endings: [(id: String, status: String, reason: String?)] = []
            func ended(_ status: String, _ reason: String?, _ body: (String) throws -> Void) throws {
                let id = "0190b5a0-0000-7000-8000-00000000008\(endings.count)"
                try body(id)
                endings.append((id, status, reason))
            }
            try ended("done", "stop") { id in
                let answer = try stack.completed("tokens=7 finish=stop prompt_tokens=11", id: id)
                let usage = try JSONValue.object(#require(StreamTranscript(answer.body).usage))
                // At once, though the bill may still be on its way.
                let status = try stack.status(id)
                #expect(status["status"]?.string == "done" && status["usage"] == usage)
            }
            try ended("done", "length") { id in
                let answer = try stack.completed("tokens=3", stream: false, id: id)
                #expect(try stack.status(id)["usage"] == answer["usage"])
            }
            try ended("failed", nil) { id in _ = try stack.completed("drop_after=3", id: id) }
            try ended("failed", nil) { id in
                let refused = try stack.completed("status=503", id: id)
                #expect(refused.status == 503)
            }
            try ended("client_gone", nil) { id in
                let client = try stack.complete("id=gone tokens=10000 interval=20", id: id, parameters: StopTests.long)
                _ = try client.readHead()
                try stack.expectTokens("gone")
                client.close()
                _ = try stack.upstreamEnding("gone")
            }
            try stack.expect("select count(*) from usage", becomes: "\(endings.count)")
            for (id, status, reason) in endings {
                let row = try stack.row(
                    "select prompt_tokens, completion_tokens, prompt_tokens + completion_tokens, source, max_tokens_applied from usage "
                        + "where completion_id = '\(id)'")
                for replica in stack.replicas {
                    let told = try stack.status(id, on: replica)
                    #expect(told["status"]?.string == status)
                    if let reason { #expect(told["finish_reason"]?.string == reason) }
                    #expect(told["started_at"]?.string != nil && told["finished_at"]?.string != nil)
                    let members = ["prompt_tokens", "completion_tokens", "total_tokens", "source", "max_tokens_applied"]
                    let usage = members.map { name in
                        told["usage.\(name)"].map { $0.string ?? $0.number?.literal ?? "" }
                    }
                    #expect(usage == row)
                }
            }
        }
    }

    @Test("whose answer the network lost, its owner learns that it was charged and how much")
    func lostAnswer() async throws {
        try await Stack.with { stack in
            let client = try stack.complete(
                "id=lost tokens=300 interval=10", stream: false, id: Self.id, parameters: StopTests.long)
            try stack.expectTokens("lost")
            client.reset()
            let status = try stack.wait("the end to be known") {
                let status = try stack.status(Self.id)
                return status["status"]?.string == "running" ? nil : status
            }
            #expect(status["status"]?.string == "client_gone")
            let billed = try stack.row("select completion_tokens from usage").first.flatMap { $0.flatMap { Int($0) } }
            #expect(status["usage.completion_tokens"]?.integer == billed)
            #expect(try #require(billed) > 2)
            // The same request again is not run again.
            #expect(try stack.completed("tokens=1", id: Self.id).problemCode == "completion_id_conflict")
        }
    }

    @Test("that was refused, there never was one")
    func refused() async throws {
        try await Stack.with(environment: ["MAX_CONCURRENT_STREAMS": "1"]) { stack in
            let client = try stack.complete("tokens=10000 interval=20", parameters: StopTests.long)
            _ = try client.readHead()
            #expect(try stack.completed("tokens=1", id: Self.id).problemCode == "concurrency_limit")
            #expect(try stack.completed("tokens=1", id: Self.id, parameters: #""max_tokens":0"#).status == 400)
            for (method, path) in [("GET", ""), ("POST", "/stop")] {
                let answer = try stack.asUser(method, "/api/complete/\(Self.id)\(path)")
                #expect(answer.status == 404 && answer.problemCode == "not_found")
            }
        }
    }

    @Test("billed by a server from before `max_tokens` was kept, that alone is not told")
    func oldBill() async throws {
        try await Stack.with { stack in
            #expect(try stack.completed("tokens=2", id: Self.id).status == 200)
            try stack.expectAllSettled()
            _ = try stack.rows("update usage set max_tokens_applied = null")
            let usage = try stack.status(Self.id)["usage"]?.object
            #expect(usage?.keys == ["prompt_tokens", "completion_tokens", "total_tokens", "source"])
        }
    }

    @Test("costs no completion and no tokens, and neither does a stop")
    func free() async throws {
        try await Stack.with(environment: ["RATE_LIMIT_REQUESTS_PER_MINUTE": "1"]) { stack in
            #expect(try stack.completed("tokens=2", id: Self.id).status == 200)
            try stack.expectAllSettled()
            let before = try stack.rows("select request_units, token_units, at::text from buckets")
            for _ in 0..<3 {
                #expect(try stack.asUser("GET", "/api/complete/\(Self.id)").status == 200)
                #expect(try stack.asUser("POST", "/api/complete/\(Self.id)/stop").status == 404)
            }
            #expect(try stack.rows("select request_units, token_units, at::text from buckets") == before)
        }
    }
}
