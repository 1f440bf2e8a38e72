import Foundation
import StrictJSON
import TestSupport
import Testing

/// Two simulated upstreams named by a file, in front of which the server stands.
@Suite("Several upstreams")
struct UpstreamsTests {
    @Test("each model goes to the upstream that has it, with that one's key and headers")
    func routing() async throws {
        try await Self.with { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "key_file": "north-key", "models": ["davinci-002"],
               "headers": {"X-Tenant": "\(Self.headerSecret)"}},
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
            #expect(try north.lastHeaders()["x-tenant"]?.array?.first?.string == Self.headerSecret)
            #expect(try south.lastHeaders()["x-tenant"] == nil)
            let models = try stack.asUser("GET", "/api/models")
            #expect(models["data"]?.array?.compactMap { $0["id"]?.string } == ["davinci-002", "babbage-002"])
            try stack.expectAllSettled()
        }
    }

    @Test("clients are told the longest time-outs, and the knobs that a model's upstreams take")
    func toldToClients() async throws {
        try await Self.with(["UPSTREAM_TOTAL_TIMEOUT": "33.5"]) { north, south in
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
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try await offPool {
            let file = directory.appending(path: "upstreams.json")
            try Data(
                """
                {"upstreams": [{"name": "a", "url": "http://h", "key": "\(Self.headerSecret)\\n\(Self.headerSecret)", "retry": 1},
                  {"name": "a", "url": "h", "headers": {"Content-Length": "\(Self.headerSecret)"}}]}
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
                #expect(!line.contains(Self.headerSecret) && !line.contains(Stack.upstreamKey), "\(line)")
            }
        }
    }

    // MARK: Two upstreams

    private static let headerSecret = "tenant-secret-of-a-header-42"

    /// A simulated upstream with a key of its own.
    struct Simulated: Sendable {
        let replica: Stack.Replica
        let key: String

        var url: String { "http://127.0.0.1:\(replica.port)/v1" }

        init(_ name: String) throws {
            key = "sk-\(name)-secret-key-of-its-own-0123456789"
            replica = try Stack.Replica(ChildProcess("UpstreamSimulator", ["--key", key]))
        }

        /// What it recorded of the requests whose directives name this id.
        func records(_ id: String) throws -> [JSONObject] {
            let answer = try replica.client().request("GET", "/_requests?id=\(id)")
            return try JSONValue(parsing: answer.body).array?.compactMap(\.object) ?? []
        }

        /// The header fields of the latest completion request, by name in lower case.
        func lastHeaders() throws -> JSONObject {
            let last = try JSONValue(parsing: replica.client().request("GET", "/_last").body)
            return last["headers"]?.object ?? JSONObject()
        }
    }

    private static func directory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "upstreams-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    /// Runs `body` with a server whose upstreams are those of the file that `listing` writes; keys lie beside it as `NAME-key`.
    /// Whatever is secret in it is told nowhere.
    static func with(
        _ variables: [String: String] = [:], listing: @Sendable (Simulated, Simulated) -> String,
        body: @escaping @Sendable (Stack, Simulated, Simulated) throws -> Void
    ) async throws {
        let directory = try directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let (north, south) = try await offPool { (try Simulated("north"), try Simulated("south")) }
        defer { for upstream in [north, south] { upstream.replica.process.signal(SIGKILL) } }
        try Data("\(north.key)\n".utf8).write(to: directory.appending(path: "north-key"))
        let file = directory.appending(path: "upstreams.json")
        try Data(listing(north, south).utf8).write(to: file)
        let environment = [
            "UPSTREAMS_FILE": file.path, "UPSTREAM_URL": "", "UPSTREAM_API_KEY": "", "UPSTREAM_MODEL": "davinci-002",
        ]
        try await Stack.with(
            environment: environment.merging(variables) { $1 }, secrets: [north.key, south.key, headerSecret]
        ) { stack in
            try body(stack, north, south)
        }
    }
}
