import Dispatch
import Foundation
import StrictJSON
import Synchronization
import TestSupport

/// A whole system of real processes: a fresh database on the test run's Postgres, a simulated upstream, one or more replicas
/// of the server, and tokens of throw-away users.
final class Stack: Sendable {
    static let upstreamKey = "sk-end-to-end-secret-key-0123456789"
    static let sessionKeys = "test:dGVzdC1zZXNzaW9uLWtleS10ZXN0LXNlc3Npb24ta2V5ISE="
    /// In every prompt that a test sends, and in no log.
    static let promptMark = "Once upon a time"

    /// So many systems may run at one time: each is a handful of processes.
    private static let places = DispatchSemaphore(value: 3)

    let postgres: PostgresServer
    /// As its superuser; the servers have another login than the tables' owner.
    let database: String
    let environment: [String: String]
    let upstream: Replica
    let tokens: [String]
    private let started = Mutex<[Replica]>([])
    private let transcript = Mutex<[UInt8]>([])

    /// A process with an HTTP port.
    struct Replica: Sendable {
        let process: ChildProcess
        let port: UInt16

        func client(deadline: Duration = .seconds(10)) throws -> RawClient { try RawClient(port: port, deadline: deadline) }

        init(_ process: ChildProcess) throws {
            self.process = process
            let line = try process.waitForLine(containing: "listening on http://", deadline: .seconds(20))
            guard let text = line.split(separator: ":").last, let port = UInt16(text) else {
                throw TestFailure("no port in: \(line)")
            }
            self.port = port
        }
    }

    var replicas: [Replica] { started.withLock { $0 } }
    var server: Replica { replicas[0] }
    var token: String { tokens[0] }

    /// - Parameters:
    ///   - environment: further variables of the server.
    ///   - postgres: another server than the run's shared one.
    init(
        replicas count: Int = 1, users: Int = 1, environment: [String: String] = [:], postgres: PostgresServer? = nil
    ) throws {
        self.postgres = try postgres ?? .shared()
        let fresh = try self.postgres.freshDatabase(owner: PostgresServer.owner)
        database = self.postgres.conninfo(database: fresh)
        upstream = try Replica(ChildProcess("UpstreamSimulator", ["--key", Self.upstreamKey]))
        let logins = [
            "MIGRATE_DATABASE_URL": self.postgres.conninfo(database: fresh, user: PostgresServer.owner),
            "DATABASE_URL": self.postgres.conninfo(database: fresh, user: PostgresServer.login),
        ]
        self.environment = Self.variables(database: database, upstreamPort: upstream.port)
            .merging(logins) { $1 }.merging(environment) { $1 }
        _ = try Self.run(["migrate"], self.environment)
        tokens = users == 0 ? [] : try Self.run(["load-tokens", "--count", "\(users)"], self.environment).filter { !$0.isEmpty }
        for _ in 0..<count { try startReplica() }
    }

    /// What a server of these tests is configured with: generous limits, so that only tests of limits meet any.
    static func variables(database: String, upstreamPort: UInt16) -> [String: String] {
        [
            "PATH": "/usr/bin:/bin", "DATABASE_URL": database, "UPSTREAM_API_KEY": upstreamKey,
            "UPSTREAM_URL": "http://127.0.0.1:\(upstreamPort)/v1", "HTTP_PORT": "0", "ALLOW_LOAD_TOKENS": "1",
            "SESSION_KEYS": sessionKeys, "DRAIN_DELAY": "0", "DRAIN_TIMEOUT": "2", "LOG_LEVEL": "trace",
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "100000", "RATE_LIMIT_TOKENS_PER_MINUTE": "100000000",
            "MAX_CONCURRENT_STREAMS": "100", "MAX_TOKENS_CAP": "100000",
        ]
    }

    /// Runs a command of the server to its end; the lines it printed, those of its log left out.
    static func run(_ arguments: [String], _ environment: [String: String]) throws -> [String] {
        try ChildProcess.run("APIServer", arguments, environment: environment).filter { !$0.hasPrefix(#"{"time":"#) }
    }

    /// One more replica; `environment` differs from the others'.
    @discardableResult
    func startReplica(_ environment: [String: String] = [:]) throws -> Replica {
        let replica = try Replica(ChildProcess("APIServer", ["serve"], environment: self.environment.merging(environment) { $1 }))
        started.withLock { $0.append(replica) }
        return replica
    }

    /// Runs `body` with a system of its own, off the concurrency pool because its calls block. When it has ended, no replica
    /// has crashed, and neither a log nor an answer that went through ``ask`` holds a secret: the upstream's key, or one of
    /// `secrets`.
    static func with(
        replicas: Int = 1, users: Int = 1, environment: [String: String] = [:], secrets: [String] = [],
        postgres: PostgresServer? = nil, _ body: @escaping @Sendable (Stack) throws -> Void
    ) async throws {
        try await offPool {
            places.wait()
            defer { places.signal() }
            let stack = try Stack(replicas: replicas, users: users, environment: environment, postgres: postgres)
            defer { stack.stop() }
            try body(stack)
            try stack.checkProcesses()
            try stack.checkSecrets([upstreamKey] + secrets)
        }
    }

    /// Ends every process; the database goes with its server.
    private func stop() {
        for replica in replicas { replica.process.signal(SIGKILL) }
        upstream.process.signal(SIGKILL)
    }

    // MARK: Asking

    /// Fields of an authenticated request with a JSON body.
    func fields(_ token: String? = nil) -> [String: String] {
        ["Authorization": "Bearer \(token ?? self.token)", "Content-Type": "application/json"]
    }

    /// Sends a request on a connection of its own and reads the whole answer.
    func ask(
        _ method: String, _ target: String, _ fields: [String: String] = [:], body: String? = nil, on replica: Replica? = nil
    ) throws -> RawClient.Response {
        let response = try (replica ?? server).client().request(method, target, fields, body: body)
        remember(response.head)
        remember(response.body)
        return response
    }

    /// The same with the first user's token, or another.
    func asUser(
        _ method: String, _ target: String, _ body: String? = nil, fields: [String: String] = [:], token: String? = nil,
        on replica: Replica? = nil
    ) throws -> RawClient.Response {
        try ask(method, target, self.fields(token).merging(fields) { $1 }, body: body, on: replica)
    }

    /// Sends a completion request; `directives` steer the simulated upstream.
    func complete(
        _ directives: String, stream: Bool = true, on replica: Replica? = nil, token: String? = nil, id: String? = nil,
        parameters: String = #""max_tokens":50"#, deadline: Duration = .seconds(10)
    ) throws -> RawClient {
        let client = try (replica ?? server).client(deadline: deadline)
        var fields = fields(token)
        if let id { fields["Completion-Id"] = id }
        try client.sendRequest(
            "POST", "/api/complete", fields,
            body: #"{"prompt":"[[\#(directives)]] \#(Self.promptMark)","stream":\#(stream),\#(parameters)}"#)
        return client
    }

    /// The same, and the whole answer.
    func completed(
        _ directives: String, stream: Bool = true, on replica: Replica? = nil, token: String? = nil, id: String? = nil,
        parameters: String = #""max_tokens":50"#
    ) throws -> RawClient.Response {
        let client = try complete(directives, stream: stream, on: replica, token: token, id: id, parameters: parameters)
        let response = try client.readResponse()
        remember(response.head)
        remember(response.body)
        return response
    }

    // MARK: What the others saw

    /// What the upstream recorded of the requests whose directives name this id.
    func upstreamRecords(_ id: String) throws -> [JSONObject] {
        let answer = try upstream.client().request("GET", "/_requests?id=\(id)")
        return try JSONValue(parsing: answer.body).array?.compactMap(\.object) ?? []
    }

    /// Waits until the upstream's record of this id says how the request ended, and returns that.
    func upstreamEnding(_ id: String) throws -> String {
        try wait("the upstream's record of \(id)") {
            guard let ended = try self.upstreamRecords(id).last?["ended"]?.string, ended != "open" else { return nil }
            return ended
        }
    }

    /// The body of the latest request as the upstream got it.
    func upstreamBody() throws -> JSONValue {
        let last = try JSONValue(parsing: upstream.client().request("GET", "/_last").body)
        guard let body = last.object?["body"]?.string else { throw TestFailure("the upstream was not asked") }
        return try JSONValue(parsing: body)
    }

    /// Rows of a query.
    func rows(_ sql: String) throws -> [[String?]] { try postgres.run(sql, in: database) }

    /// The first row of a query, waiting until there is one.
    func row(_ sql: String) throws -> [String?] {
        try wait("a row of \(sql)") { try rows(sql).first }
    }

    /// The one value a query must come to, waiting for it.
    func expect(_ sql: String, becomes value: String, within deadline: Duration = .seconds(10)) throws {
        var last: String?
        _ = try wait("\(sql) to become \(value), last \(last ?? "nothing")", within: deadline) { () -> Bool? in
            last = try rows(sql).first?.first ?? nil
            return last == value ? true : nil
        }
    }

    /// Every completion is settled, and nothing is held for one. Ids that were given up stay forbidden for a while: those rows
    /// belong to no process.
    func expectAllSettled() throws {
        try expect("select count(*) from reservations", becomes: "0")
        try expect("select coalesce(sum(in_flight), 0) from buckets", becomes: "0")
    }

    /// Asks again and again until there is an answer.
    func wait<Value>(
        _ what: @autoclosure () -> String, within deadline: Duration = .seconds(10), for probe: () throws -> Value?
    ) throws -> Value {
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            if let value = try probe() { return value }
            usleep(20_000)
        }
        throw TestFailure("waited in vain for \(what())")
    }

    // MARK: What holds for every test

    /// Keeps what a client was told, for the search for secrets.
    func remember(_ bytes: [UInt8]) { transcript.withLock { $0 += bytes } }
    func remember(_ head: RawClient.Head) {
        remember(Array(head.fields.map { "\($0.name): \($0.value)\n" }.joined().utf8))
    }

    /// No replica has ended by itself: a trap, say.
    private func checkProcesses() throws {
        for process in replicas.map(\.process) + [upstream.process] where !process.isRunning {
            let status = try process.waitForExit()
            guard status == 0 || status == -SIGKILL else {
                throw TestFailure("a process ended with \(status): \(process.lines.suffix(5))")
            }
        }
    }

    /// What authenticates us at upstreams is nowhere; prompts and tokens are in no log.
    private func checkSecrets(_ keys: [String]) throws {
        // Base64 of the key alone, and of the part of `Bearer key` that does not depend on what stands in front of it.
        let secrets = keys.flatMap { key in
            let encoded = [key, "Bearer " + key].map { Data($0.utf8).base64EncodedString().prefix(40) }.map(String.init)
            return [key, String(key.prefix(12))] + encoded
        }
        let log = replicas.flatMap(\.process.lines).joined(separator: "\n")
        let told = transcript.withLock { String(decoding: $0, as: UTF8.self) }
        let tables = [
            "users", "sessions", "login_networks", "attempt_windows", "presets", "buckets", "processes", "reservations", "usage",
            "idempotency_keys", "account_links", "mail_outbox", "audit_events", "api_keys", "ended_keys",
        ]
        let stored = try rows(tables.map { "select t::text from \($0) t" }.joined(separator: " union all "))
            .joined().compactMap(\.self).joined(separator: "\n")
        for secret in secrets where [log, told, stored].contains(where: { $0.contains(secret) }) {
            throw TestFailure("an upstream's secret was told: \(secret)")
        }
        for word in [Self.promptMark] + tokens where log.contains(word) {
            throw TestFailure("a log tells \(word)")
        }
    }
}
