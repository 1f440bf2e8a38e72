import EventLoop
import Foundation
import StrictJSON
import TestSupport
import Testing

/// What operators do with the server, and what it tells them.
@Suite("Operating it")
struct OperationTests {
    static let required = ["DATABASE_URL", "UPSTREAM_API_KEY", "SESSION_KEYS"]

    @Test("a server without a required setting refuses to start and names it", arguments: required)
    func missingSetting(name: String) async throws {
        try await offPool {
            for value in [nil, "", "  "] {
                var environment = Stack.variables(database: "postgres://nobody@127.0.0.1:1/none", upstreamPort: 1)
                environment[name] = value
                let process = try ChildProcess("APIServer", [], environment: environment)
                #expect(try process.waitForOutput() > 0)
                #expect(process.lines.contains { $0.contains(name) }, "\(process.lines)")
                for other in Self.required where other != name { #expect(!process.lines.contains { $0.contains(other) }) }
            }
        }
    }

    @Test(
        "a setting that makes no sense is named, and its value is not told where it may be secret",
        arguments: [
            ("HTTP_PORT", "65536"), ("HTTP_PORT", "http"), ("SESSION_KEYS", "k1:c2hvcnQtc2VjcmV0"),
            ("SESSION_KEYS", "topsecretvalue"),
            ("DATABASE_URL", "postgres://u:topsecretvalue@h:port/d"), ("UPSTREAM_URL", "ftp://topsecretvalue"),
            ("UPSTREAM_URL", "api.openai.com"),
            ("MAX_TOKENS_CAP", "0"), ("RATE_LIMIT_TOKENS_PER_MINUTE", "-1"), ("UPSTREAM_TOKENS_PER_MINUTE", "0"),
            ("UPSTREAM_REQUESTS_PER_MINUTE", "1e9"),
            ("HEARTBEAT_INTERVAL", "often"),
            ("LOG_LEVEL", "loud"), ("IO_URING", "maybe"),
            ("REGISTRATION", "maybe"), ("TRUSTED_PROXIES", "10.0.0.0/33"), ("DRAIN_TIMEOUT", "nan"), ("DRAIN_DELAY", "inf"),
            ("COMMIT_AFTER", "1e400"), ("MAX_CONNECTIONS", "99999999999999999999"), ("UPSTREAM_API_KEY_FILE", "/none/such"),
        ])
    func nonsense(name: String, value: String) async throws {
        try await offPool {
            var environment = Stack.variables(database: "postgres://nobody@127.0.0.1:1/none", upstreamPort: 1)
            if name.hasSuffix("_FILE") { environment[String(name.dropLast(5))] = nil }
            environment[name] = value
            let process = try ChildProcess("APIServer", [], environment: environment)
            #expect(try process.waitForOutput() > 0, "\(process.lines)")
            #expect(process.lines.contains { $0.contains(name) }, "\(process.lines)")
            for secret in ["topsecretvalue", "c2hvcnQtc2VjcmV0"] where name != "UPSTREAM_URL" {
                #expect(!process.lines.contains { $0.contains(secret) }, "\(process.lines)")
            }
        }
    }

    @Test("streams come whole with io_uring and without, and the log says which of the two it is", arguments: ["on", "off"])
    func sending(setting: String) async throws {
        try await Stack.with(environment: ["IO_URING": setting]) { stack in
            let running = try (0..<3).map { _ in try stack.complete("tokens=40 interval=5") }
            for stream in running {
                #expect(try stream.readHead().status == 200)
                let events = try stream.readEvents()
                #expect(events.count == 42 && events.last?.data == "[DONE]")
            }
            let line = try stack.server.process.waitForLine(containing: #""message":"listening""#)
            #expect(line.contains(#""io_uring":\#(setting == "on" && EventLoop.canGatherSends)"#))
        }
    }

    @Test("secrets may come from files, whose last line end does not count")
    func secretFiles() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "secrets-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await Stack.with { stack in
            var environment = stack.environment
            for name in Self.required {
                let file = directory.appending(path: name)
                try Data(((environment[name] ?? "") + "\n").utf8).write(to: file)
                environment[name + "_FILE"] = file.path
                environment[name] = nil
            }
            let process = try ChildProcess("APIServer", [], environment: environment)
            defer { process.signal(SIGKILL) }
            let replica = try Stack.Replica(process)
            #expect(try StreamTranscript(stack.completed("tokens=2", on: replica).body).isDone)
            #expect(try Stack.run(["migrate"], environment) == ["the schema is current"])

            environment["UPSTREAM_API_KEY"] = "another"
            let both = try ChildProcess("APIServer", [], environment: environment)
            #expect(try both.waitForOutput() > 0)
            #expect(both.lines.contains { $0.contains("UPSTREAM_API_KEY_FILE") })
        }
    }

    @Test("every command explains itself")
    func help() async throws {
        try await offPool {
            let environment = ["PATH": "/usr/bin:/bin"]
            let overview = try Stack.run(["--help"], environment).joined(separator: "\n")
            let plans = ["set", "list", "show", "delete", "assign", "override"].map { "plan \($0)" }
            let commands = [
                "serve", "migrate", "user", "load-tokens", "plan", "instance", "instance show", "instance set", "pause",
                "resume", "audit",
            ]
            for command in commands + plans {
                let words = command.split(separator: " ").map(String.init)
                #expect(overview.contains(words[0]))
                let text = try Stack.run(words + ["--help"], environment).joined(separator: "\n")
                #expect(text.contains("USAGE:"))
                #expect(text.contains("DATABASE_URL"), "\(command) says what it needs")
            }
            #expect(try Stack.run(["--version"], environment).first?.isEmpty == false)
            for mistake in [["frobnicate"], ["serve", "--port", "1"], ["load-tokens"], ["load-tokens", "--count", "0"]] {
                let process = try ChildProcess("APIServer", mistake, environment: environment)
                #expect(try process.waitForOutput() > 0, "\(mistake)")
                #expect(!process.lines.isEmpty)
            }
        }
    }

    @Test("three may migrate at one time, and a server that finds an old schema is alive but not ready")
    func migrations() async throws {
        try await offPool {
            let database = try PostgresServer.shared().freshDatabase()
            let environment = Stack.variables(database: database, upstreamPort: 1)
            let early = try Stack.Replica(ChildProcess("APIServer", [], environment: environment))
            defer { early.process.signal(SIGKILL) }
            #expect(try early.client().request("GET", "/healthz").status == 200)
            #expect(try early.client().request("GET", "/readyz").status == 503)
            let migrations = try (0..<3).map { _ in try ChildProcess("APIServer", ["migrate"], environment: environment) }
            for migration in migrations { #expect(try migration.waitForOutput() == 0, "\(migration.lines)") }
            #expect(migrations.filter { $0.lines.contains { $0.hasPrefix("applied: ") } }.count == 1)
            let end = ContinuousClock.now + .seconds(10)
            while try early.client().request("GET", "/readyz").status != 200 {
                guard ContinuousClock.now < end else { throw TestFailure("not ready: \(early.process.lines)") }
                usleep(50_000)
            }
        }
    }

    @Test("the operator makes accounts where registration is closed")
    func createUser() async throws {
        try await Stack.with(users: 0, environment: ["REGISTRATION": "closed"]) { stack in
            let script = #"echo 'correct horse battery staple' | "$0" create-user --email ann@example.com"#
            let command = try ChildProcess(
                "/bin/sh", ["-c", script, ChildProcess.buildDirectory + "/APIServer"], environment: stack.environment)
            #expect(try command.waitForOutput() == 0, "\(command.lines)")
            let login = try stack.post("/api/auth/login", SessionTests.account)
            #expect(login.status == 200)
            #expect(login["user.id"]?.string == command.lines.first { !$0.hasPrefix("{") })
        }
    }

    @Test("it runs from any directory and brings its contract and its schema with it")
    func anyDirectory() async throws {
        try await Stack.with { stack in
            let script = #"cd / && exec "$0""#
            let process = try ChildProcess(
                "/bin/sh", ["-c", script, ChildProcess.buildDirectory + "/APIServer"], environment: stack.environment)
            defer { process.signal(SIGKILL) }
            let replica = try Stack.Replica(process)
            #expect(replica.port != 0)
            let contract = try stack.ask("GET", "/openapi.yaml", on: replica)
            #expect(contract.status == 200)
            #expect(contract.head["content-type"]?.hasPrefix("application/yaml") == true)
            #expect(contract.text.hasPrefix("openapi: 3.1"))
            // Ready once it has heard of the sessions that were ended.
            _ = try stack.wait("readiness") { try stack.ask("GET", "/readyz", on: replica).status == 200 ? true : nil }
        }
    }

    @Test("its log is one JSON object a line; a request's line has the id of its answer, and no prompt, token or key")
    func log() async throws {
        try await Stack.with { stack in
            let answer = try stack.completed("tokens=3")
            let broken = try stack.completed("tokens=3 drop_after=1 interval=50")
            let refused = try stack.asUser("GET", "/api/presets/\(BadInputTests.id)?secret=\(stack.token)")
            let password = "a password that nobody logs"
            let login = try stack.post("/api/auth/login", #"{"email":"ann@example.com","password":"\#(password)"}"#)
            for response in [answer, refused, login] {
                let id = try #require(response.head["x-request-id"])
                // The audit trail tells of the log-in under the same id.
                let line = try stack.server.process.waitForLine(containing: #""request_id":"\#(id)","method""#)
                let entry = try JSONValue(parsing: line)
                #expect(entry["request_id"]?.string == id)
                #expect(entry["status"]?.integer == response.status)
                #expect(entry["route"]?.string?.hasPrefix("/api/") == true)
                #expect(entry["time"]?.string?.hasSuffix("Z") == true)
            }
            // A stream that broke says so, though its status was 200.
            let id = try #require(broken.head["x-request-id"])
            let line = try stack.server.process.waitForLine(containing: id)
            #expect(line.contains("upstream_error"), "\(line)")
            let log = stack.server.process.lines.joined(separator: "\n")
            for secret in [password, stack.token, Stack.promptMark, String(Stack.sessionKeys.dropFirst(5)), "ann@example.com"] {
                #expect(!log.contains(secret))
            }
            try stack.checkLogLines()
        }
    }

    @Test("a connection too many is told so, while liveness still answers; when others have gone all is well")
    func connectionLimit() async throws {
        try await Stack.with(environment: ["MAX_CONNECTIONS": "4", "CORS_ORIGINS": "https://app.example.com"]) { stack in
            let held = try (0..<4).map { _ in
                let client = try stack.server.client()
                #expect(try client.request("GET", "/healthz").status == 200)
                return client
            }
            let refused = try stack.asUser("GET", "/api/me", fields: ["Origin": "https://app.example.com"])
            #expect(refused.status == 503)
            #expect(refused.head["access-control-allow-origin"] == "https://app.example.com")
            #expect(refused.problemCode == "overloaded")
            #expect(refused.head["retry-after"] == "1")
            #expect(refused.head["cache-control"] == "no-store")
            #expect(try stack.ask("GET", "/healthz").status == 200)
            for client in held { client.close() }
            _ = try stack.wait("room for another connection") {
                try stack.ask("GET", "/api/me", stack.fields()).status == 200 ? true : nil
            }
        }
    }

    @Test("on however many loops, a process has a connection to the database for each, one for lists and one to listen")
    func databaseConnections() async throws {
        try await Stack.with { stack in
            // The kernel gives each connection to the loop that has the fewest.
            try concurrently(24) { number in
                if number % 2 == 0 {
                    _ = try stack.completed("tokens=3 interval=50")
                } else {
                    for _ in 0..<5 { #expect(try stack.asUser("GET", "/api/presets?limit=10").status == 200) }
                }
            }
            let count = try stack.row(
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
            let most = ProcessInfo.processInfo.activeProcessorCount + 2
            #expect(count == ["\(most)"])
        }
    }

    @Test("its metrics are well-formed Prometheus text, and count")
    func metrics() async throws {
        try await Stack.with { stack in
            for _ in 0..<3 { _ = try stack.completed("tokens=3") }
            _ = try stack.completed("status=500")
            _ = try stack.ask("GET", "/nowhere/\"quoted\"\\")
            let answer = try stack.ask("GET", "/metrics")
            #expect(answer.head["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
            try Exposition.check(answer.text)
            #expect(answer.text.contains(#"http_requests_total{route="/api/complete",status="200"} 3"#))
            #expect(answer.text.contains(#"http_requests_total{route="/api/complete",status="502"} 1"#))
            if let promtool = Exposition.promtool {
                let file = FileManager.default.temporaryDirectory.appending(path: "metrics-\(UUID())")
                try Data(answer.body).write(to: file)
                defer { try? FileManager.default.removeItem(at: file) }
                let check = try ChildProcess("/bin/sh", ["-c", #""$0" check metrics < "$1""#, promtool, file.path])
                #expect(try check.waitForOutput() == 0, "\(check.lines)")
            }
        }
    }
}

extension SessionTests {
    static let account = #"{"email":"ann@example.com","password":"\#(password)"}"#
}
