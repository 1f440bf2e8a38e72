import Foundation
import StrictJSON
import TestSupport
import Testing

/// What an upstream can do wrong, and what a client is told.
@Suite("An upstream that fails")
struct UpstreamFaultTests {
    struct Refusal: CustomTestStringConvertible {
        let directives: String
        let status: Int
        let code: String
        var retryAfter: String?
        var testDescription: String { directives }
    }

    static let refusals = [
        Refusal(directives: "status=401", status: 502, code: "upstream_error"),
        Refusal(directives: "status=403", status: 502, code: "upstream_error"),
        Refusal(directives: "status=429 retry_after=7", status: 429, code: "upstream_rate_limited", retryAfter: "7"),
        Refusal(directives: "status=429", status: 429, code: "upstream_rate_limited"),
        Refusal(directives: "status=400", status: 400, code: "invalid_request"),
        Refusal(directives: "status=400 code=context_length_exceeded", status: 400, code: "context_length_exceeded"),
        Refusal(directives: "status=404", status: 400, code: "invalid_request"),
        Refusal(directives: "status=404 code=model_not_found", status: 400, code: "model_not_found"),
        Refusal(directives: "status=413", status: 400, code: "invalid_request"),
        Refusal(directives: "status=422", status: 400, code: "invalid_request"),
        Refusal(directives: "status=500", status: 502, code: "upstream_error"),
        Refusal(directives: "status=502", status: 502, code: "upstream_error"),
        Refusal(directives: "status=302", status: 502, code: "upstream_error"),
        Refusal(directives: "status=503 retry_after=3", status: 503, code: "upstream_unavailable", retryAfter: "3"),
        Refusal(directives: "drop_head=1", status: 502, code: "upstream_error"),
        Refusal(directives: "fin_head=1", status: 502, code: "upstream_error"),
        Refusal(directives: "empty=1", status: 502, code: "upstream_error"),
        Refusal(directives: "garbage=1", status: 502, code: "upstream_error"),
        Refusal(directives: "tokens=5 error_after=0", status: 502, code: "upstream_error"),
        Refusal(directives: "tokens=0 finish=abort", status: 502, code: "upstream_error"),
    ]

    @Test("before any output gives the status that says so, streaming or not, and costs no tokens")
    func beforeOutput() async throws {
        try await Stack.with { stack in
            var count = 0
            for refusal in Self.refusals {
                for isStream in [true, false] {
                    let answer = try stack.completed(refusal.directives, stream: isStream)
                    #expect(answer.status == refusal.status, "\(refusal.directives) stream=\(isStream)")
                    #expect(answer.problemCode == refusal.code, "\(refusal.directives) stream=\(isStream)")
                    #expect(answer.head["x-completion-id"] != nil)
                    #expect(answer.head["x-ratelimit-limit-tokens"] == "100000000")
                    #expect(answer.head["cache-control"]?.hasPrefix("no-store") == true)
                    if let retryAfter = refusal.retryAfter { #expect(answer.head["retry-after"] == retryAfter) }
                    #expect(!answer.text.contains("simulated"), "the upstream's own words are not shown")
                    count += 1
                }
            }
            try stack.expect("select count(*) from usage where outcome = 'failed'", becomes: "\(count)")
            try stack.expect("select sum(prompt_tokens + completion_tokens) from usage", becomes: "0")
            try stack.expectAllSettled()
        }
    }

    struct Break: CustomTestStringConvertible {
        let directives: String
        let delivered: Int
        var testDescription: String { directives }
    }

    static let breaks = [
        Break(directives: "tokens=9 malformed=1 interval=20", delivered: 1),
        Break(directives: "tokens=9 error_after=3 interval=20", delivered: 3),
        Break(directives: "tokens=9 error_after=3 error_shape=vllm interval=20", delivered: 3),
        Break(directives: "tokens=9 drop_after=3 interval=50", delivered: 3),
        Break(directives: "tokens=9 fin_after=3 interval=20", delivered: 3),
        Break(directives: "tokens=5 done=0 interval=20", delivered: 5),
        Break(directives: "tokens=5 finish=none interval=20", delivered: 5),
        Break(directives: "tokens=5 done=0 framing=close interval=20", delivered: 5),
        Break(directives: "tokens=5 finish=abort finish_alone=1 interval=20", delivered: 5),
    ]

    @Test("in the midst of a stream ends it with an error event and without [DONE]; what was delivered is billed")
    func afterOutput() async throws {
        try await Stack.with { stack in
            for broken in Self.breaks {
                let answer = try stack.completed(broken.directives)
                #expect(answer.status == 200, "\(broken.directives)")
                let stream = try StreamTranscript(answer.body)
                #expect(!stream.isDone, "\(broken.directives)")
                #expect(stream.error?["code"]?.string == "upstream_error", "\(broken.directives)")
                #expect(stream.error?["status"]?.number?.integer == 502)
                #expect(stream.error?["retryable"]?.bool == true)
                #expect(stream.text == (0..<broken.delivered).map { "k\($0) " }.joined(), "\(broken.directives)")
                #expect(stream.frames.allSatisfy { $0["finish_reason"] == nil && $0["usage"] == nil })
                let id = try #require(answer.head["x-completion-id"])
                let row = try stack.row(
                    "select completion_tokens, prompt_tokens > 0, outcome from usage where completion_id = '\(id)'")
                #expect(row == ["\(broken.delivered)", "t", "failed"], "\(broken.directives)")
            }
            try stack.expectAllSettled()
        }
    }

    @Test("in the midst of an answer in one piece gives a status, and what was used is billed")
    func afterOutputInOnePiece() async throws {
        try await Stack.with { stack in
            for broken in Self.breaks {
                let answer = try stack.completed(broken.directives, stream: false)
                #expect(answer.status == 502, "\(broken.directives)")
                #expect(answer.problemCode == "upstream_error", "\(broken.directives)")
                let id = try #require(answer.head["x-completion-id"])
                let row = try stack.row("select completion_tokens, outcome from usage where completion_id = '\(id)'")
                #expect(row == ["\(broken.delivered)", "failed"], "\(broken.directives)")
            }
            try stack.expectAllSettled()
        }
    }

    @Test("by not being there gives 502; when it comes back, completions work again without a restart")
    func notListening() async throws {
        let port = try freePort()
        try await Stack.with(environment: ["UPSTREAM_URL": "http://127.0.0.1:\(port)/v1"]) { stack in
            let first = try stack.completed("tokens=3")
            #expect(first.status == 502)
            #expect(first.problemCode == "upstream_error")
            // The attempts of one request are enough to spare it for a moment.
            #expect([502, 503].contains(try stack.completed("tokens=3", stream: false).status))
            _ = try stack.wait("it to be spared") {
                let answer = try stack.completed("tokens=3")
                return answer.problemCode == "upstream_unavailable" && answer.head["retry-after"] != nil ? true : nil
            }
            for generation in 1...2 {
                let upstream = try Stack.Replica(
                    ChildProcess("UpstreamSimulator", ["--key", Stack.upstreamKey, "--port", "\(port)"]))
                // It is probed every 500 ms to 5 s.
                let running = try stack.wait("generation \(generation) to be found", within: .seconds(20)) {
                    let running = try stack.complete("tokens=1000 interval=20", parameters: StopTests.long)
                    return try running.readHead().status == 200 ? running : nil
                }
                _ = try running.readEvent()
                try upstream.process.kill()
                #expect(try running.readEvents().last?.event == "error")
                #expect([502, 503].contains(try stack.completed("tokens=3").status))
            }
            #expect(try stack.ask("GET", "/readyz").status == 200, "the upstream is no part of readiness")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "by starting only when it has refused each of those that ask costs none of them, however many they are",
        arguments: [2, 5, 20])
    func starting(count: Int) async throws {
        let port = try freePort()
        try await Stack.with(environment: ["UPSTREAM_URL": "http://127.0.0.1:\(port)/v1"]) { stack in
            let running = try (0..<count).map { _ in try stack.complete("tokens=3 interval=0", deadline: .seconds(20)) }
            try stack.wait("a refusal of each") {
                stack.server.process.lines.count { $0.contains("attempt failed") } >= count ? () : nil
            }
            let upstream = try Stack.Replica(
                ChildProcess("UpstreamSimulator", ["--key", Stack.upstreamKey, "--port", "\(port)"]))
            defer { upstream.process.signal(SIGKILL) }
            for client in running {
                let answer = try client.readResponse()
                #expect(answer.status == 200)
                #expect(try StreamTranscript(answer.body).isDone)
            }
            try stack.expectAllSettled()
        }
    }

    @Test(
        "and is well again a moment later is asked again, and the client sees nothing of it",
        arguments: ["status=503", "status=429 retry_after=1", "status=502", "status=504"])
    func passing(fault: String) async throws {
        try await Stack.with { stack in
            for isStream in [true, false] {
                let id = "passing-\(isStream)"
                let answer = try stack.completed("id=\(id) fails=2 \(fault)", stream: isStream)
                #expect(answer.status == 200)
                if isStream { #expect(try StreamTranscript(answer.body).isDone) }
                #expect(try stack.upstreamRecords(id).count == 3)
            }
            _ = try stack.server.process.waitForLine(containing: "attempt failed")
            try stack.expectAllSettled()
        }
    }

    @Test("is followed by the next one of UPSTREAMS_FILE, and costs milliseconds while it is dead")
    func failsOver() async throws {
        let dead = try freePort()
        let second = try Stack.Replica(ChildProcess("UpstreamSimulator", ["--key", Stack.upstreamKey]))
        defer { second.process.signal(SIGKILL) }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("upstreams-\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(
            """
            {"upstreams": [
              {"name": "dead", "url": "http://127.0.0.1:\(dead)/v1", "key": "\(Stack.upstreamKey)"},
              {"name": "alive", "url": "http://127.0.0.1:\(second.port)/v1", "key": "\(Stack.upstreamKey)", "priority": 1}
            ]}
            """.utf8
        ).write(to: file)
        // In place of the variables for a single one, which would be refused beside it.
        let environment = ["UPSTREAMS_FILE": file.path, "UPSTREAM_URL": "", "UPSTREAM_API_KEY": ""]
        try await Stack.with(environment: environment) { stack in
            _ = try stack.wait("the dead one to be spared") { () throws -> Bool? in
                let begun = ContinuousClock.now
                #expect(try StreamTranscript(stack.completed("tokens=3 interval=0").body).isDone)
                #expect(ContinuousClock.now - begun < .seconds(1))
                return stack.server.process.lines.contains { $0.contains("upstream does not answer and is spared") } ? true : nil
            }
            let metrics = try stack.ask("GET", "/metrics").text
            #expect(metrics.contains("upstream_circuits_open{upstream=\"dead\"}"))
            #expect(metrics.contains("upstream_attempts_failed_total{upstream=\"dead\",fault=\"unreachable\"}"))
            try stack.expectAllSettled()
        }
    }

    @Test("that refuses our key is told in the log by status alone, never by key")
    func wrongKey() async throws {
        try await Stack.with(environment: ["UPSTREAM_API_KEY": Stack.upstreamKey + "-wrong"]) { stack in
            let answer = try stack.completed("tokens=3")
            #expect(answer.status == 502)
            #expect(answer.problemCode == "upstream_error")
            let line = try stack.server.process.waitForLine(containing: "upstream status 401")
            #expect(line.contains(try #require(answer.head["x-request-id"])))
        }
    }
}
