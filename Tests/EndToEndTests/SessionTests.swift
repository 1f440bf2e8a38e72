import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Accounts and sessions, with real passwords: each hash costs half a second, so there are few.
@Suite("Accounts and sessions")
struct SessionTests {
    static let password = "correct horse battery staple"

    @Test("begin with registering and logging in, which tell nobody whether an address is known")
    func registerAndLogin() async throws {
        try await Stack.with(users: 0) { stack in
            let account = #"{"email":"Ann@Example.com","password":"\#(Self.password)"}"#
            let known = try stack.post("/api/auth/register", account)
            #expect(known.status == 202)
            #expect(known.text == #"{"status":"accepted"}"#)
            let again = try stack.post("/api/auth/register", #"{"email":"ann@example.com","password":"another password"}"#)
            #expect(again.status == 202)
            #expect(again.text == known.text)
            #expect(again.head.fields.map(\.name) == known.head.fields.map(\.name))
            #expect(try stack.row("select count(*) from users") == ["1"])

            let wrong = try stack.post("/api/auth/login", #"{"email":"ann@example.com","password":"another password"}"#)
            let unknown = try stack.post("/api/auth/login", #"{"email":"bob@example.com","password":"another password"}"#)
            for refused in [wrong, unknown] {
                #expect(refused.status == 401)
                #expect(refused.problemCode == "invalid_credentials")
                #expect(refused.head["www-authenticate"]?.hasPrefix("Bearer") == true)
            }
            #expect(wrong.withoutRequestID == unknown.withoutRequestID)

            let session = try stack.post("/api/auth/login", account)
            #expect(session.status == 200)
            #expect(session.head["cache-control"] == "no-store")
            #expect(session.head["set-cookie"] == nil)
            #expect(session["token_type"]?.string == "Bearer")
            #expect(session["expires_in"]?.integer == 900)
            #expect((1...30 * 86_400).contains(session["refresh_expires_in"]?.integer ?? 0))
            #expect(session["user.email"]?.string == "ann@example.com")
            let access = try #require(session["access_token"]?.string)
            let refresh = try #require(session["refresh_token"]?.string)
            let me = try stack.asUser("GET", "/api/me", token: access)
            #expect(me.status == 200)
            #expect(me.json.object?.keys.sorted() == ["created_at", "email", "email_verified", "id", "plan"])
            #expect(me["id"] == session["user.id"])
            #expect(me["plan"]?.string == "default")

            let stored = try stack.rows("select s::text from sessions s union all select u::text from users u").joined()
            for secret in [access, refresh, Self.password] {
                #expect(!stored.contains { $0?.contains(secret) == true }, "the database holds no usable secret")
            }
            let log = stack.server.process.lines.joined(separator: "\n")
            for secret in [access, refresh, Self.password, "another password"] { #expect(!log.contains(secret)) }
        }
    }

    @Test("are not to be had for a password that is short, long, or everybody's; every bad field is named")
    func refusedAccounts() async throws {
        try await Stack.with(users: 0, environment: ["REGISTRATION": "open"]) { stack in
            for (email, password, params) in [
                ("ann@example.com", "1234567", ["password"]), ("ann@example.com", "password", ["password"]),
                ("ann@example.com", String(repeating: "x", count: 129), ["password"]), ("ann", "1234567", ["email", "password"]),
                ("", "", ["email", "password"]), ("ann@example.com", "ann@example.com", ["password"]),
            ] {
                let answer = try stack.post("/api/auth/register", #"{"email":"\#(email)","password":"\#(password)"}"#)
                #expect(answer.status == 400, "\(email)")
                #expect(answer["errors"]?.array?.compactMap { $0["param"]?.string } == params, "\(answer.text)")
                if !password.isEmpty, password != "password", password != email { #expect(!answer.text.contains(password)) }
            }
            let closed = try stack.startReplica(["REGISTRATION": "closed"])
            let account = #"{"email":"ann@example.com","password":"\#(Self.password)"}"#
            let refused = try stack.ask(
                "POST", "/api/auth/register", ["Content-Type": "application/json"], body: account, on: closed)
            #expect(refused.status == 403)
            #expect(refused.problemCode == "registration_closed")
            #expect(try stack.ask("GET", "/api/info", on: closed)["registration"]?.string == "closed")
            #expect(try stack.row("select count(*) from users") == ["0"])
        }
    }

    @Test("outlive a lost refresh answer, and end for both when a used token comes back")
    func refresh() async throws {
        try await Stack.with(replicas: 3, users: 0) { stack in
            let account = #"{"email":"ann@example.com","password":"\#(Self.password)"}"#
            _ = try stack.post("/api/auth/register", account)
            let login = try stack.post("/api/auth/login", account)
            let first = try #require(login["refresh_token"]?.string)

            // The answer is lost: nobody reads it.
            let lost = try stack.server.client()
            try lost.sendRequest(
                "POST", "/api/auth/refresh", ["Content-Type": "application/json"], body: #"{"refresh_token":"\#(first)"}"#)
            try stack.expect("select counter from sessions", becomes: "1")
            lost.reset()

            // Twenty at one time, on three replicas: one rotation, one successor.
            let successors = Mutex<Set<String>>([])
            try concurrently(20) { index in
                let answer = try stack.refresh(first, on: stack.replicas[index % 3])
                #expect(answer.status == 200)
                if let token = answer["refresh_token"]?.string { successors.withLock { _ = $0.insert(token) } }
            }
            let second = try #require(successors.withLock { $0.count == 1 ? $0.first : nil })
            #expect(second != first)
            #expect(try stack.row("select counter from sessions") == ["1"])

            // Its first use ends the parent's grace.
            let next = try stack.refresh(second)
            #expect(next.status == 200)
            let third = try #require(next["refresh_token"]?.string)
            let access = try #require(next["access_token"]?.string)
            #expect(try stack.asUser("GET", "/api/me", token: access).status == 200)
            let reused = try stack.refresh(first, on: stack.replicas[1])
            #expect(reused.status == 401)
            #expect(reused.problemCode == "session_revoked")
            for replica in stack.replicas { #expect(try stack.refresh(third, on: replica).problemCode == "session_revoked") }
            for replica in stack.replicas {
                try stack.expectRefused(access, on: replica, code: "session_revoked", within: .seconds(1))
            }
        }
    }

    @Test("take no refresh token for an access token, nor the other way round, nor an altered one")
    func tokenKinds() async throws {
        try await Stack.with(users: 0) { stack in
            let account = #"{"email":"ann@example.com","password":"\#(Self.password)"}"#
            _ = try stack.post("/api/auth/register", account)
            let login = try stack.post("/api/auth/login", account)
            let access = try #require(login["access_token"]?.string)
            let refresh = try #require(login["refresh_token"]?.string)
            #expect(try stack.asUser("GET", "/api/me", token: refresh).problemCode == "token_invalid")
            #expect(try stack.refresh(access).problemCode == "token_invalid")
            // The same bytes under the other kind's prefix.
            #expect(
                try stack.asUser("GET", "/api/me", token: "\(access.prefix(4))\(refresh.dropFirst(4))").problemCode
                    == "token_invalid")
            #expect(try stack.refresh("\(refresh.prefix(4))\(access.dropFirst(4))").problemCode == "token_invalid")
            #expect(try stack.refresh(String(refresh.dropLast())).problemCode == "token_invalid")
            #expect(try stack.refresh("").problemCode == "token_invalid")
            #expect(try stack.post("/api/auth/refresh", "{}").problemCode == "token_missing")
            #expect(try stack.refresh(refresh).status == 200, "none of this has harmed the session")
        }
    }

    @Test("end by logging out, with any of their tokens and however often")
    func logout() async throws {
        try await Stack.with(users: 0) { stack in
            let account = #"{"email":"ann@example.com","password":"\#(Self.password)"}"#
            _ = try stack.post("/api/auth/register", account)
            let byRefresh = try stack.post("/api/auth/login", account)
            let byAccess = try stack.post("/api/auth/login", account)
            let refresh = try #require(byRefresh["refresh_token"]?.string)
            let access = try #require(byAccess["access_token"]?.string)
            for _ in 0..<2 {
                let out = try stack.post("/api/auth/logout", #"{"refresh_token":"\#(refresh)"}"#)
                #expect(out.status == 204 && out.body.isEmpty)
            }
            #expect(try stack.refresh(refresh).problemCode == "session_revoked")
            #expect(try stack.asUser("GET", "/api/me", token: access).status == 200, "the other session goes on")
            for _ in 0..<2 {
                #expect(try stack.ask("POST", "/api/auth/logout", ["Authorization": "Bearer \(access)"]).status == 204)
            }
            #expect(try stack.asUser("GET", "/api/me", token: access).problemCode == "session_revoked")
            for nonsense in ["{}", #"{"refresh_token":"nonsense"}"#] {
                #expect(try stack.post("/api/auth/logout", nonsense).status == 204)
            }
            #expect(try stack.ask("POST", "/api/auth/logout").status == 204)
            let twice = ["Authorization": "Bearer \(access)", "authorization": "Bearer \(access)"]
            #expect(try stack.ask("POST", "/api/auth/logout", twice).problemCode == "invalid_header")
        }
    }
}

extension Stack {
    func post(_ path: String, _ body: String) throws -> RawClient.Response {
        try ask("POST", path, ["Content-Type": "application/json"], body: body)
    }

    func refresh(_ token: some StringProtocol, on replica: Replica? = nil) throws -> RawClient.Response {
        try ask(
            "POST", "/api/auth/refresh", ["Content-Type": "application/json"], body: #"{"refresh_token":"\#(token)"}"#,
            on: replica)
    }

    /// The token is refused before the deadline, and from then on.
    func expectRefused(_ token: String, on replica: Replica, code: String, within deadline: Duration) throws {
        _ = try wait("\(code)", within: deadline) {
            try asUser("GET", "/api/models", token: token, on: replica).problemCode == code ? true : nil
        }
        #expect(try asUser("GET", "/api/models", token: token, on: replica).problemCode == code)
    }
}

extension RawClient.Response {
    /// The body with the one thing taken out that may differ between two answers that must not be told apart.
    var withoutRequestID: String {
        guard let id = head["x-request-id"] else { return text }
        return text.replacing(id, with: "ID")
    }
}
