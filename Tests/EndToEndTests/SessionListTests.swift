import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

/// What people see of their sessions and do about them, with real passwords: each hash costs half a second, so there are few.
@Suite("People see their sessions, and end them")
struct SessionListTests {
    static let account = #"{"email":"ann@example.com","password":"\#(SessionTests.password)"}"#

    struct Holder {
        let access: String
        let refresh: String

        init(_ answer: RawClient.Response) throws {
            access = try #require(answer["access_token"]?.string)
            refresh = try #require(answer["refresh_token"]?.string)
        }
    }

    static func login(_ stack: Stack, _ agent: String, _ address: String) throws -> Holder {
        try Holder(
            stack.ask(
                "POST", "/api/auth/login",
                ["Content-Type": "application/json", "User-Agent": agent, "X-Forwarded-For": address], body: account))
    }

    @Test("by device, address and time, through proxies that are trusted; nothing secret is told")
    func list() async throws {
        try await Stack.with(users: 0, environment: ["TRUSTED_PROXIES": "127.0.0.1"]) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            let phone = try Self.login(stack, "okhttp/4.12 (Android 15)", "203.0.113.7")
            let laptop = try Self.login(
                stack, "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "spoofed, 2001:DB8::17")
            let listed = try stack.asUser("GET", "/api/sessions", token: laptop.access)
            #expect(listed.status == 200)
            let sessions = try #require(listed["data"]?.array)
            #expect(sessions.map { $0["device"]?.string } == ["Firefox on Linux", "okhttp on Android"])
            #expect(sessions.map { $0["address"]?.string } == ["2001:db8::17", "203.0.113.7"])
            #expect(sessions.map { $0["current"]?.bool } == [true, false])
            #expect(
                sessions.allSatisfy {
                    $0.object?.keys.sorted() == ["address", "created_at", "current", "device", "id", "last_used_at"]
                })
            #expect(listed["next_cursor"] == .null)
            let other = try stack.asUser("GET", "/api/sessions", token: phone.access)
            #expect(other["data"]?.array?.map { $0["current"]?.bool } == [false, true])

            // The phone wanders.
            let renewed = try Holder(
                stack.ask(
                    "POST", "/api/auth/refresh",
                    [
                        "Content-Type": "application/json", "User-Agent": "okhttp/5 (Android 16)",
                        "X-Forwarded-For": "198.51.100.9",
                    ],
                    body: #"{"refresh_token":"\#(phone.refresh)"}"#))
            let page = try stack.asUser("GET", "/api/sessions?limit=1", token: renewed.access)
            let cursor = try #require(page["next_cursor"]?.string)
            let last = try stack.asUser("GET", "/api/sessions?limit=1&cursor=\(cursor)", token: renewed.access)
            #expect(last["data.0.address"]?.string == "198.51.100.9" && last["data.0.current"]?.bool == true)
            #expect(last["next_cursor"] == .null)
            #expect(last["data.0.last_used_at"]?.string ?? "" > last["data.0.created_at"]?.string ?? "~")
            for (query, code) in [("limit=0", "invalid_request"), ("cursor=x", "invalid_cursor")] {
                #expect(try stack.asUser("GET", "/api/sessions?\(query)", token: renewed.access).problemCode == code)
            }
            for secret in [phone.refresh, laptop.refresh, renewed.refresh, laptop.access] {
                #expect(!listed.text.contains(secret))
            }
        }
    }

    @Test("one by one or all others, on every replica within a second; a stranger's is like one that is not there")
    func ending() async throws {
        try await Stack.with(replicas: 3, users: 2) { stack in
            let (mine, other, third) = (try stack.session(), try stack.session(), try stack.session())
            let strange = try stack.session(user: 1)
            let missing = "0190b5a0-0000-7000-8000-00000000dead"
            for method in ["DELETE", "GET", "PUT", "POST", "HEAD"] where method != "HEAD" {
                let answers = try [strange.id.description, missing].map {
                    try stack.asUser(method, "/api/sessions/\($0)", token: mine.accessToken)
                }
                #expect(answers[0].status == (method == "DELETE" ? 404 : 405))
                #expect(answers[0].withoutRequestID == answers[1].withoutRequestID)
                let heads = answers.map { answer in
                    answer.head.fields.filter { !["x-request-id", "date"].contains($0.name.lowercased()) }.map { "\($0)" }
                }
                #expect(heads[0] == heads[1])
            }
            #expect(try stack.asUser("DELETE", "/api/sessions/no-uuid", token: mine.accessToken).problemCode == "not_found")
            #expect(try stack.ask("DELETE", "/api/sessions/\(other.id)").problemCode == "token_missing")
            #expect(try stack.rows("select id from sessions where revoked_at is not null").isEmpty)

            #expect(try stack.asUser("DELETE", "/api/sessions/\(other.id)", token: mine.accessToken).status == 204)
            for replica in stack.replicas {
                try stack.expectRefused(other.accessToken, on: replica, code: "session_revoked", within: .seconds(1))
            }
            #expect(try stack.asUser("DELETE", "/api/sessions/\(other.id)", token: mine.accessToken).problemCode == "not_found")
            #expect(try stack.asUser("GET", "/api/sessions", token: other.accessToken).problemCode == "session_revoked")

            let ended = try stack.asUser("POST", "/api/sessions/end-others", token: mine.accessToken, on: stack.replicas[1])
            #expect(ended.status == 200 && ended.text == #"{"ended":1}"#)
            for replica in stack.replicas {
                try stack.expectRefused(third.accessToken, on: replica, code: "session_revoked", within: .seconds(1))
            }
            #expect(try stack.asUser("GET", "/api/me", token: mine.accessToken).status == 200)
            #expect(try stack.asUser("GET", "/api/me", token: strange.accessToken).status == 200)
            #expect(try stack.asUser("DELETE", "/api/sessions/\(mine.id)", token: mine.accessToken).status == 204, "one's own")
            try stack.expectRefused(mine.accessToken, on: stack.server, code: "session_revoked", within: .seconds(1))
            try stack.expect("select count(*) from audit_events where kind = 'session_ended'", becomes: "2")
            try stack.expect("select count(*) from audit_events where kind = 'sessions_ended'", becomes: "1")
        }
    }

    @Test("a new log-in has a session of its own, also where another one comes along")
    func newSession() async throws {
        try await Stack.with(users: 0) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            let first = try Self.login(stack, "curl/8", "")
            _ = try stack.ask(
                "POST", "/api/auth/login",
                [
                    "Content-Type": "application/json", "Authorization": "Bearer \(first.access)",
                    "Cookie": "__Host-playground-access=\(first.access); __Secure-playground-refresh=\(first.refresh)",
                ], body: Self.account)
            #expect(try stack.row("select count(distinct id), count(*) from sessions where revoked_at is null") == ["2", "2"])
        }
    }

    @Test("a password is changed by who knows the old one, which ends the other sessions on every replica within a second")
    func password() async throws {
        let new = "jumps over a lazy dwarf"
        try await Stack.with(replicas: 3, users: 0, secrets: [new, SessionTests.password]) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            let (mine, other) = (try Self.login(stack, "curl/8", ""), try Self.login(stack, "okhttp/4", ""))
            func change(_ current: String, _ new: String) throws -> RawClient.Response {
                try stack.asUser(
                    "POST", "/api/me/password", #"{"current_password":"\#(current)","new_password":"\#(new)"}"#,
                    token: mine.access)
            }
            for (weak, code) in [
                ("short", "too_short"), ("password123", "invalid_value"), ("ann@example.com", "invalid_value"),
                (String(repeating: "x", count: 129), "too_long"),
            ] {
                let refused = try change(SessionTests.password, weak)
                #expect(refused.status == 400 && refused["errors.0.param"]?.string == "new_password")
                #expect(refused["errors.0.code"]?.string == code)
            }
            let both = try stack.asUser("POST", "/api/me/password", "{}", token: mine.access)
            #expect(both["errors"]?.array?.compactMap { $0["param"]?.string } == ["current_password", "new_password"])
            #expect(try stack.post("/api/me/password", "{}").problemCode == "token_missing")
            let wrong = try change("not my password", new)
            #expect(wrong.status == 403 && wrong.problemCode == "wrong_password" && wrong.head["www-authenticate"] == nil)
            #expect(try stack.row("select sum(failures) from login_networks") == ["1"], "it counts as a log-in that failed")

            let done = try change(SessionTests.password, new)
            #expect(done.status == 204 && done.body.isEmpty)
            for replica in stack.replicas {
                try stack.expectRefused(other.access, on: replica, code: "session_revoked", within: .seconds(1))
                #expect(try stack.asUser("GET", "/api/models", token: mine.access, on: replica).status == 200)
            }
            #expect(try stack.refresh(other.refresh).problemCode == "session_revoked")
            #expect(try stack.refresh(mine.refresh).status == 200)
            #expect(try stack.post("/api/auth/login", Self.account).problemCode == "invalid_credentials")
            let again = try stack.post("/api/auth/login", #"{"email":"ann@example.com","password":"\#(new)"}"#)
            #expect(again.status == 200)
            for (outcome, count) in [("failed", 1), ("succeeded", 1)] {
                try stack.expect(
                    "select count(*) from audit_events where kind = 'password_changed' and outcome = '\(outcome)'",
                    becomes: "\(count)")
            }
        }
    }

    @Test("guessing at a password by changing it is slowed down like logging in, and together with it")
    func throttle() async throws {
        try await Stack.with(users: 0) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            let mine = try Self.login(stack, "curl/8", "")
            let body = #"{"current_password":"a wrong guess","new_password":"jumps over a lazy dwarf"}"#
            for _ in 0..<5 {
                #expect(try stack.asUser("POST", "/api/me/password", body, token: mine.access).problemCode == "wrong_password")
            }
            // What is prolonged by a slow machine must not let the sixth attempt in.
            _ = try stack.rows("update login_networks set tried_at = now() + interval '1 hour' returning account")
            let refused = try stack.asUser("POST", "/api/me/password", body, token: mine.access)
            #expect(refused.status == 429 && refused.problemCode == "too_many_attempts")
            #expect(try stack.post("/api/auth/login", Self.account).problemCode == "too_many_attempts")
        }
    }
}
