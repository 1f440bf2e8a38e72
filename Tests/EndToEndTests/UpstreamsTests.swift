import Foundation
import StrictJSON
import TestSupport
import Testing

/// Two simulated upstreams named by a file, in front of which the server stands.
@Suite("Several upstreams")
struct UpstreamsTests {
    @Test("each model goes to the upstream that has it, with that one's key and headers")
    func routing() async throws {
        try await UpstreamPair.with { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "key_file": "north-key", "models": ["davinci-002"],
               "headers": {"X-Tenant": "\(UpstreamPair.headerSecret)"}},
              {"name": "south", "url": "\(south.url)", "key": "\(south.key)", "models": ["babbage-002"]}
            ]}
            """
        } body: { stack, north, south in
            for (model, asked, other) in [("davinci-002", north, south), ("babbage-002", south, north)] {
                let answer = try stack.completed("tokens=3 id=\(model)", parameters: #""model":"\#(model)""#)
                #expect(try StreamTranscript(answer.body).isDone)
                let records = try asked.records(model)
                #expect(records.map { $0["model"]?.string } == [model])
                #expect(records.first?["authorization"]?.string == "ok", "the key is that upstream's own")
                #expect(try other.records(model).isEmpty)
            }
            #expect(try north.lastHeaders()["x-tenant"]?.array?.first?.string == UpstreamPair.headerSecret)
            #expect(try south.lastHeaders()["x-tenant"] == nil)
            let models = try stack.asUser("GET", "/api/models")
            #expect(models["data"]?.array?.compactMap { $0["id"]?.string } == ["davinci-002", "babbage-002"])
            try stack.expectAllSettled()
        }
    }

    @Test("clients are told the longest time-outs, and the knobs that a model's upstreams take")
    func toldToClients() async throws {
        try await UpstreamPair.with(["UPSTREAM_TOTAL_TIMEOUT": "33.5"]) { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "models": ["davinci-002"], "timeouts": {"connect": 0.5, "silence": 90}},
              {"name": "south", "url": "\(south.url)", "kind": "chat", "models": ["babbage-002"],
               "timeouts": {"first_token": 61}, "refused_parameters": ["temperature"]}
            ]}
            """
        } body: { stack, _, _ in
            let info = try stack.ask("GET", "/api/info")
            let told = ["connect", "first_byte", "first_token", "silence", "total"].map {
                info["streaming.upstream_\($0)_timeout_ms"]?.integer
            }
            #expect(told == [5000, 60_000, 61_000, 90_000, 33_500])
            let models = try stack.asUser("GET", "/api/models")
            #expect(models["data.0.kind"]?.string == "completion")
            #expect(models["data.0.parameters.suffix.max_bytes"]?.integer == 131_072)
            #expect(models["data.0.parameters.temperature"] != nil)
            #expect(models["data.1.kind"]?.string == "chat")
            #expect(models["data.1.parameters.suffix"] == nil)
            #expect(models["data.1.parameters.temperature"] == nil)
            #expect(models["data.1.parameters.seed.type"]?.string == "integer")
        }
    }

    @Test("a time-out of the one upstream is set by its variable: an upstream that says nothing is given up")
    func variables() async throws {
        try await Stack.with(environment: ["UPSTREAM_FIRST_BYTE_TIMEOUT": "0.3", "UPSTREAM_SILENCE_TIMEOUT": "0.4"]) { stack in
            let headless = try stack.completed("stall_head=1")
            #expect(headless.status == 504)
            #expect(headless.problemCode == "upstream_timeout")
            let silent = try stack.completed("tokens=9 stall_after=2 interval=20")
            let stream = try StreamTranscript(silent.body)
            #expect(stream.text == "k0 k1 ")
            #expect(stream.error?["code"]?.string == "upstream_timeout")
            try stack.expectAllSettled()
        }
    }

    @Test("a file with mistakes stops the start: each is named by its path, and no key is told")
    func mistakes() async throws {
        let directory = try UpstreamPair.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try await offPool {
            let file = directory.appending(path: "upstreams.json")
            let secret = UpstreamPair.headerSecret
            try Data(
                """
                {"upstreams": [{"name": "a", "url": "http://h", "key": "\(secret)\\n\(secret)", "retry": 1},
                  {"name": "a", "url": "h", "headers": {"Content-Length": "\(secret)"}}]}
                """.utf8
            ).write(to: file)
            var environment = Stack.variables(database: "postgres://nobody@127.0.0.1:1/none", upstreamPort: 1)
            environment["UPSTREAMS_FILE"] = file.path
            let process = try ChildProcess("APIServer", [], environment: environment)
            #expect(try process.waitForOutput() > 0)
            for path in ["0.key", "0.retry", "1.url", "1.headers.Content-Length"] {
                #expect(process.lines.contains { $0.contains("UPSTREAMS_FILE upstreams.\(path): ") }, "\(process.lines)")
            }
            for name in ["UPSTREAM_URL", "UPSTREAM_API_KEY"] {
                #expect(process.lines.contains { $0.contains("\(name) and UPSTREAMS_FILE") }, "\(process.lines)")
            }
            for line in process.lines {
                #expect(!line.contains(secret) && !line.contains(Stack.upstreamKey), "\(line)")
            }
        }
    }
}
