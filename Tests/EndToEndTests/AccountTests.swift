import Glibc
import StrictJSON
import TestSupport
import Testing

/// What people do to their account as a whole.
@Suite("An account", .timeLimit(.minutes(5)))
struct AccountTests {
    static let password = "correct horse battery staple"

    @Test("gets another address when the new one's mail is read, and the old one is told")
    func changeEmail() async throws {
        try await Stack.withMail { stack, mail in
            let access = try stack.member("ann@example.com", Self.password)
            try stack.register("bob@example.com", Self.password)
            #expect(try stack.forgot("ann@example.com").status == 202)
            let reset = try #require(try mail.mails(to: "ann@example.com", count: 2).last).token()

            let body = #"{"email":"Ann@Example.org","password":"\#(Self.password)"}"#
            for (wrong, code) in [
                (#"{"email":"ann@example.org","password":"not this one"}"#, "wrong_password"),
                (#"{"email":"ann@example.org"}"#, "invalid_request"), (#"{"email":"ann","password":"x"}"#, "invalid_request"),
            ] {
                #expect(try stack.asUser("POST", "/api/me/email", wrong, token: access).problemCode == code)
            }
            #expect(try stack.asUser("POST", "/api/me/email", body, token: access).status == 202)
            let sent = try #require(try mail.mails(to: "ann@example.org").last)
            #expect(sent.subject == "Confirm your new e-mail address")
            #expect(try stack.asUser("GET", "/api/me", token: access)["email"]?.string == "ann@example.com", "not yet")
            let token = try sent.token(at: "https://app.example.com/verify-email")
            #expect(try stack.send("email/verify", ["token": token]).status == 204)
            #expect(try stack.asUser("GET", "/api/me", token: access)["email"]?.string == "ann@example.org")
            #expect(try stack.logIn("ann@example.org", Self.password).status == 200)
            #expect(try stack.logIn("ann@example.com", Self.password).status == 401)
            let notice = try #require(try mail.mails(to: "ann@example.com", count: 3).last)
            #expect(notice.subject == "Your e-mail address was changed")
            #expect(notice.body.contains("ann@example.org"))
            #expect(
                try stack.send("password/reset", ["token": reset, "new_password": "another horse"]).problemCode == "link_invalid",
                "what was sent to the old address is worth nothing")
            #expect(try stack.send("email/verify", ["token": token]).problemCode == "link_invalid")

            // Somebody else's address: the same answer, and its owner is told.
            let taken = try stack.asUser(
                "POST", "/api/me/email", #"{"email":"bob@example.com","password":"\#(Self.password)"}"#, token: access)
            #expect(taken.status == 202)
            #expect(taken.text == #"{"status":"accepted"}"#)
            #expect(try mail.mails(to: "bob@example.com", count: 2).last?.subject == "You have an account already")
        }
    }

    @Test("does not get an address that another account has come by meanwhile")
    func takenEmail() async throws {
        try await Stack.withMail { stack, mail in
            let access = try stack.member("ann@example.com", Self.password)
            let body = #"{"email":"cid@example.com","password":"\#(Self.password)"}"#
            #expect(try stack.asUser("POST", "/api/me/email", body, token: access).status == 202)
            let token = try #require(try mail.mails(to: "cid@example.com").last).token(at: "https://app.example.com/verify-email")
            _ = try stack.rows("insert into users (id, email) values (gen_random_uuid(), 'cid@example.com')")
            let answer = try stack.send("email/verify", ["token": token])
            #expect(answer.status == 409)
            #expect(answer.problemCode == "email_taken")
            #expect(try stack.asUser("GET", "/api/me", token: access)["email"]?.string == "ann@example.com")
        }
    }

    @Test("gives out all it has, as one JSON document without a secret, and nothing of anybody else")
    func export() async throws {
        try await Stack.with(users: 0) { stack in
            let access = try stack.member("ann@example.com", Self.password)
            let other = try stack.member("bob@example.com", Self.password)
            let params = #"{"temperature":0.70,"max_tokens":7,"stop":["\n","\u0001"]}"#
            for number in 0..<20 {
                let prompt = number == 7 ? String(repeating: "é\"\\", count: 20_000) : "prompt \(number) of ann"
                let preset = #"{"name":"N \#(number)","prompt":\#(JSONValue.string(prompt).jsonText),"params":\#(params)}"#
                #expect(try stack.asUser("POST", "/api/presets", preset, token: access).status == 201)
            }
            _ = try stack.asUser("POST", "/api/presets", #"{"name":"bobs secret","prompt":"x","params":{}}"#, token: other)
            _ = try stack.completed("tokens=3", stream: false, token: access)
            _ = try stack.completed("tokens=3", stream: false, token: other)
            try stack.expectAllSettled()
            _ = try stack.rows(
                """
                insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at, cost)
                select gen_random_uuid(), u.id, 'm', n, 1, 'exact', 'done', now() - n * interval '1 second', 0.00125
                from users u, generate_series(1, 2500) n where u.email = 'ann@example.com'
                """)

            let answer = try stack.asUser("GET", "/api/me/export", token: access)
            #expect(answer.status == 200)
            #expect(answer.head["content-type"] == "application/json; charset=utf-8")
            #expect(answer["account.email"]?.string == "ann@example.com")
            #expect(answer["account.email_verified"]?.bool == false)
            #expect(answer["account.id"] == (try stack.asUser("GET", "/api/me", token: access))["id"])
            #expect(answer["sessions"]?.array?.count == 1)
            let presets = try #require(answer["presets"]?.array)
            #expect(presets.count == 20)
            #expect(Set(presets.compactMap { $0["name"]?.string }).count == 20)
            #expect(presets.contains { $0["prompt"]?.string == String(repeating: "é\"\\", count: 20_000) })
            let one = try #require(presets.first?["id"]?.string)
            let shown = try stack.asUser("GET", "/api/presets/\(one)", token: access).json
            for member in ["name", "prompt", "params", "version", "created_at", "updated_at"] {
                #expect(presets.first?[member] == shown[member], "\(member)")
            }
            let usage = try #require(answer["usage"]?.array)
            #expect(usage.count == 2501)
            #expect(Set(usage.compactMap { $0["completion_id"]?.string }).count == 2501)
            #expect(usage.last?["cost"]?.string == "0.00125")
            for word in ["bob", "scrypt", "hash", "pga_", "pgr_"] { #expect(!answer.text.contains(word), "\(word)") }
            #expect(try stack.ask("GET", "/api/me/export").problemCode == "token_missing")
        }
    }

    @Test(
        "is gone with everything of it when its owner says so: sessions, streams and data, on every replica; the bill stays, nobody's"
    )
    func delete() async throws {
        try await Stack.with(replicas: 2, users: 0) { stack in
            let access = try stack.member("ann@example.com", Self.password)
            let other = try stack.member("bob@example.com", Self.password)
            for token in [access, other] {
                let preset = #"{"name":"mine","prompt":"x","params":{}}"#
                #expect(try stack.asUser("POST", "/api/presets", preset, token: token).status == 201)
                _ = try stack.completed("tokens=3", stream: false, token: token)
            }
            let id = try #require(try stack.row("select id from users where email = 'ann@example.com'")[0])
            let running = try stack.complete("id=cut tokens=1000 delay=50ms", on: stack.replicas[1], token: access)
            _ = try running.readHead()

            #expect(try stack.asUser("DELETE", "/api/me", token: access).problemCode == "invalid_request")
            let wrong = try stack.asUser("DELETE", "/api/me", #"{"password":"not this one"}"#, token: access)
            #expect(wrong.status == 403)
            #expect(wrong.problemCode == "wrong_password")
            #expect(try stack.asUser("DELETE", "/api/me", #"{"password":"\#(Self.password)"}"#, token: access).status == 204)
            for replica in stack.replicas {
                try stack.expectRefused(access, on: replica, code: "session_revoked", within: .seconds(1))
            }
            let began = ContinuousClock.now
            _ = try stack.upstreamEnding("cut")
            #expect(ContinuousClock.now - began < .seconds(5))
            try stack.expectAllSettled()
            #expect(try stack.logIn("ann@example.com", Self.password).problemCode == "invalid_credentials")

            _ = try stack.rows("select forget_users(1000)")
            #expect(try stack.row("select count(*) from usage where user_id is null") == ["2"])
            #expect(try stack.row("select count(*) from usage where user_id is not null") == ["1"])
            // The audit trail is the operator's, and bounded.
            for table in [
                "users", "sessions", "presets", "usage", "buckets", "idempotency_keys", "login_networks", "mail_outbox",
                "account_links",
            ] {
                let found = try stack.rows("select t::text from \(table) t").joined().compactMap(\.self)
                #expect(!found.contains { $0.contains(id) || $0.contains("ann@example.com") }, "\(table)")
            }
            #expect(try stack.asUser("GET", "/api/presets", token: other)["data"]?.array?.count == 1)
            // Nothing stands in the way of a new beginning.
            #expect(
                try stack.asUser("GET", "/api/presets", token: stack.member("ann@example.com", Self.password))["data"]?.array?
                    .isEmpty == true)
            _ = try stack.rows("update deleted_users set deleted_at = now() - interval '2 hours'; select forget_users(1000)")
            #expect(try stack.row("select count(*) from deleted_users") == ["0"])
        }
    }

    @Test("is told to a replica that was deaf when it was deleted")
    func deafReplica() async throws {
        try await Stack.with(replicas: 1, users: 0) { stack in
            let access = try stack.member("ann@example.com", Self.password)
            // As if no notification had come: the session is gone with its user.
            _ = try stack.rows(
                """
                insert into deleted_sessions (id) select id from sessions; delete from users
                """)
            try stack.expectRefused(access, on: stack.server, code: "session_revoked", within: .seconds(2))
        }
    }

    @Test("without a password is changed and deleted by who has just logged in")
    func withoutPassword() async throws {
        try await Stack.with(users: 1) { stack in
            let old = try stack.session()
            _ = try stack.rows("update sessions set created_at = now() - interval '11 minutes'")
            let refused = try stack.asUser("DELETE", "/api/me", token: old.accessToken)
            #expect(refused.status == 403)
            #expect(refused.problemCode == "reauthentication_required")
            #expect(
                try stack.asUser("DELETE", "/api/me", token: stack.token).problemCode == "reauthentication_required",
                "a load test's")
            let fresh = try stack.session()
            #expect(try stack.asUser("DELETE", "/api/me", token: fresh.accessToken).status == 204)
            #expect(try stack.row("select count(*) from users") == ["0"])
        }
    }

    @Test("cannot be deleted by guessing its password")
    func guesses() async throws {
        try await Stack.with(users: 0) { stack in
            let access = try stack.member("ann@example.com", Self.password)
            var codes: [String] = []
            for _ in 0..<8 {
                codes.append(try stack.asUser("DELETE", "/api/me", #"{"password":"guess"}"#, token: access).problemCode ?? "")
            }
            #expect(codes.prefix(5).allSatisfy { $0 == "wrong_password" })
            #expect(codes.contains("too_many_attempts"))
        }
    }
}

extension Stack {
    /// Registers somebody and logs them in; the access token.
    func member(_ email: String, _ password: String) throws -> String {
        try register(email, password)
        let session = try logIn(email, password)
        guard let token = session["access_token"]?.string else { throw TestFailure("not logged in: \(session.text)") }
        return token
    }
}
