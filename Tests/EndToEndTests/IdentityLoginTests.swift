import Foundation
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Against a provider that is not ours, with browsers that keep cookies and follow redirects.
@Suite("Logging in through an identity provider")
struct IdentityLoginTests {
    @Test("makes an account, and finds it again; nothing that could be used is logged or stored")
    func login() async throws {
        try await IdentityScene.with { scene in
            try scene.setPerson("ann", #"{"email":"Ann@Example.org","email_verified":true}"#)
            let listed = try scene.stack.ask("GET", "/api/auth/providers")
            #expect(listed["data.0.id"]?.string == "example" && listed["data.0.display_name"]?.string == "Example")
            #expect(listed["data.0.start_path"]?.string == "/api/auth/oidc/example/start")
            #expect(try scene.stack.ask("GET", "/api/info")["login_methods.1"]?.string == "oidc")

            let browser = scene.browser()
            let page = try browser.begin()
            let asked = Browser.items(page)
            #expect(asked["response_type"] == "code" && asked["client_id"] == "playground" && asked["scope"] == "openid email")
            #expect(
                asked["code_challenge_method"] == "S256" && asked["code_challenge"] != Browser.challenge(of: browser.verifier))
            #expect(Set([asked["state"], asked["nonce"], asked["code_challenge"]].map { $0?.utf8.count }) == [43])
            let callback = try browser.decide(page)
            let frontend = try Browser.frontend(browser.comeBack(callback))
            #expect(frontend["state"] == "frontend-state" && frontend["error"] == nil)
            let code = try #require(frontend["code"])
            let stored = try scene.stack.rows(
                "select t::text from login_attempts t union all select t::text from login_codes t union all select t::text from used_nonces t"
            ).description
            let session = try scene.exchange(code, browser.verifier)
            #expect(session.status == 200 && session["user.email"]?.string == "ann@example.org")
            let token = try #require(session["access_token"]?.string)
            #expect(try scene.stack.asUser("GET", "/api/me", token: token)["email"]?.string == "ann@example.org")
            let identities = try scene.stack.asUser("GET", "/api/me/identities", token: token)
            #expect(identities["data.0.provider"]?.string == "example" && identities["data.1"] == nil)

            let again = try scene.browser().session()
            #expect(again["user.id"]?.string == session["user.id"]?.string)
            #expect(try scene.browser().session(as: "bob")["user.id"]?.string != session["user.id"]?.string)

            let log = scene.stack.server.process.lines.joined(separator: "\n")
            for secret in [callback["code"], callback["state"], code, asked["nonce"] ?? "", token, "provider-client-secret"] {
                #expect(!secret.isEmpty && !log.contains(secret) && !stored.contains(secret))
            }
            try scene.stack.expect("select count(*) from login_attempts", becomes: "0")
        }
    }

    @Test("goes over any replicas: one begins, the second hears of the end, the third gives the session")
    func replicas() async throws {
        try await IdentityScene.with(replicas: 3) { scene in
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin())
            let code = try #require(Browser.frontend(browser.comeBack(callback, on: scene.stack.replicas[1]))["code"])
            #expect(try scene.exchange(code, browser.verifier, on: scene.stack.replicas[2]).status == 200)
        }
    }

    @Test("that comes back with another state, or to another browser, comes to nothing; its own browser can still finish it")
    func otherBrowser() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin())
            for change: (inout Browser.Callback) -> Void in [
                { $0["state"] = "" }, { $0["state"] = String($0["state"].reversed()) },
                { $0.address = $0.address.replacing("state=", with: "statement=") }, { $0.address += "&state=" + $0["state"] },
            ] {
                var tampered = callback
                change(&tampered)
                let answer = try browser.comeBack(tampered)
                #expect(answer.status == 400, "\(answer.head.fields)")
                #expect(["login_attempt_invalid", "malformed_request"].contains(answer.problemCode))
            }
            let stranger = scene.browser()
            #expect(try stranger.comeBack(callback).problemCode == "login_attempt_invalid")
            _ = try stranger.begin()
            #expect(try stranger.comeBack(callback).problemCode == "login_attempt_invalid")
            #expect(try Browser.frontend(browser.comeBack(callback))["code"] != nil)
            #expect(try browser.comeBack(callback).problemCode == "login_attempt_invalid")
        }
    }

    @Test("with the code of somebody else's comes to nothing")
    func swappedCode() async throws {
        try await IdentityScene.with { scene in
            let (ann, eve) = (scene.browser(), scene.browser())
            let stolen = try ann.decide(ann.begin())
            var callback = try eve.decide(eve.begin(), as: "eve")
            callback["code"] = stolen["code"]
            let frontend = try Browser.frontend(eve.comeBack(callback))
            #expect(frontend["code"] == nil && frontend["error"] == "temporarily_unavailable")
            #expect(frontend["state"] == "frontend-state")
            try scene.stack.expect("select count(*) from sessions", becomes: "0")
        }
    }

    @Test("that comes back fifty times at once gives one code, and that one session, over three replicas")
    func once() async throws {
        try await IdentityScene.with(replicas: 3) { scene in
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin())
            let codes = Mutex<[String]>([])
            try concurrently(50) { index in
                let answer = try browser.comeBack(callback, on: scene.stack.replicas[index % 3])
                if answer.status == 303 {
                    let code = try #require(Browser.frontend(answer)["code"])
                    codes.withLock { $0.append(code) }
                } else {
                    #expect(answer.problemCode == "login_attempt_invalid")
                }
            }
            let code = try #require(codes.withLock { $0.count == 1 ? $0.first : nil })
            let sessions = Mutex(0)
            try concurrently(50) { index in
                let answer = try scene.exchange(code, browser.verifier, on: scene.stack.replicas[index % 3])
                if answer.status == 200 {
                    sessions.withLock { $0 += 1 }
                } else {
                    #expect(answer.problemCode == "login_attempt_invalid")
                }
            }
            #expect(sessions.withLock { $0 } == 1)
            try scene.stack.expect("select count(*) from sessions", becomes: "1")
            try scene.stack.expect("select count(*) from users", becomes: "1")
        }
    }

    @Test("of one person for the first time, in twenty browsers at once, makes one account")
    func oneAccount() async throws {
        try await IdentityScene.with { scene in
            let users = Mutex<Set<String>>([])
            try concurrently(20) { _ in
                let user = try #require(scene.browser().session()["user.id"]?.string)
                users.withLock { _ = $0.insert(user) }
            }
            #expect(users.withLock { $0.count } == 1)
            try scene.stack.expect("select count(*) from users", becomes: "1")
        }
    }

    @Test("that the person declines is told to the frontend")
    func declined() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin(), as: nil)
            // This provider leaves the state out of a refusal, which then is nobody's.
            #expect(callback["error"] == "access_denied")
            var answer = callback
            if answer["state"].isEmpty { answer["state"] = Browser.items(try browser.begin())["state"] ?? "" }
            let frontend = try Browser.frontend(browser.comeBack(answer))
            #expect(frontend == ["error": "access_denied", "state": "frontend-state"])
        }
    }

    @Test("has ten minutes, and its code one")
    func lifetimes() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin())
            #expect(
                try scene.stack.rows("select expires_at - now() between '9 minutes' and '10 minutes' from login_attempts") == [
                    ["t"]
                ])
            _ = try scene.stack.rows("update login_attempts set expires_at = now() - interval '1 second'")
            #expect(try browser.comeBack(callback).problemCode == "login_attempt_invalid")
            let code = try #require(browser.logIn()["code"])
            #expect(try scene.stack.rows("select expires_at - now() between '50 s' and '1 minute' from login_codes") == [["t"]])
            _ = try scene.stack.rows("update login_codes set expires_at = now() - interval '1 second'")
            #expect(try scene.exchange(code, browser.verifier).problemCode == "login_attempt_invalid")
        }
    }

    @Test("is worth something only to the frontend that began it: another verifier gets nothing, and spoils the code")
    func otherFrontend() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let code = try #require(browser.logIn()["code"])
            #expect(try scene.exchange(code, browser.verifier + "x").problemCode == "login_attempt_invalid")
            #expect(try scene.exchange(code, browser.verifier).problemCode == "login_attempt_invalid")
            for text in ["", "x", String(code.dropLast()), code + "A"] {
                #expect(try scene.exchange(text, browser.verifier).status == 400)
            }
        }
    }

    @Test("goes to addresses that the operator has listed; what is wrong with the request is told at once")
    func requests() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let cases: [(String, String?, String)] = [
                ("redirect_uri", "http://127.0.0.1/other", "redirect_uri"),
                ("redirect_uri", "https://evil.example/done", "redirect_uri"),
                ("redirect_uri", nil, "redirect_uri"), ("code_challenge", nil, "code_challenge"),
                ("code_challenge", "short", "code_challenge"), ("code_challenge_method", "plain", "code_challenge_method"),
                ("state", String(repeating: "x", count: 513), "state"),
            ]
            for (name, value, param) in cases {
                let answer = try browser.request("GET", browser.startAddress([name: value]))
                #expect(answer.problemCode == "invalid_request" && answer["param"]?.string == param, "\(name) \(value ?? "none")")
            }
            let address = browser.startAddress()
            #expect(try browser.request("GET", address + "&state=x").problemCode == "malformed_request")
            #expect(try browser.request("GET", address.replacing("/example/", with: "/other/")).problemCode == "not_found")
            // What libraries add is passed over (RFC 6749, 3.1).
            let anywhere = try browser.request(
                "GET", browser.startAddress(["redirect_uri": "http://127.0.0.1:5/done", "response_type": "code"]))
            #expect(anywhere.status == 303 && anywhere.head["referrer-policy"] == "no-referrer")
            _ = try scene.stack.rows(
                "insert into login_attempts select sha256(i::text::bytea), '', '', '', '', '', network from login_attempts, generate_series(1, 300) i"
            )
            let refused = try browser.request("GET", address)
            #expect(refused.status == 303 && refused.head["set-cookie"] == nil)
            #expect(try Browser.frontend(refused)["error"] == "temporarily_unavailable")
            try scene.stack.server.process.waitForLine(containing: "log-ins under way from one network")
        }
    }

    @Test("survives that the provider has new keys without ids, and asks for them no more often than it may")
    func rotation() async throws {
        try await IdentityScene.with { scene in
            _ = try scene.browser().session()
            for _ in 0..<5 {
                try scene.control("POST", "rotate")
                for _ in 0..<2 { #expect(try scene.browser().session().status == 200) }
            }
            #expect(try scene.control("GET", "counts")["/jwks"]?.integer == 6)
            try scene.control("POST", "rotate")
            #expect(try scene.browser().logIn()["error"] == "server_error", "the seventh set within a minute")
            #expect(try scene.control("GET", "counts")["/jwks"]?.integer == 6)
        }
    }

    @Test("is not kept from new keys by tokens that strangers make up, and these have them asked for twice a minute at most")
    func madeUpTokens() async throws {
        try await IdentityScene.with { scene in
            // {"alg":"RS256","kid":"new"}, {}, and no signature of anybody.
            let body = #"{"id_token":"eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9.e30.AAAA","nonce":"a nonce of the app"}"#
            try concurrently(20) { _ in
                for _ in 0..<10 {
                    let answer = try scene.stack.post("/api/auth/oidc/example/token", body)
                    #expect(answer.problemCode == "id_token_invalid")
                }
            }
            #expect(try scene.control("GET", "counts")["/jwks"]?.integer == 2)
            try scene.control("POST", "rotate")
            #expect(try scene.browser().session().status == 200)
            // The trail has every log-in, and what was refused gathered.
            try scene.stack.expect(
                "select count(*) from audit_events where kind = 'login' and outcome = 'succeeded' and detail = 'identity provider example'",
                becomes: "1")
        }
    }

    @Test("has a row of the audit trail however it ended: who, through whom, and in the log what the provider said")
    func trail() async throws {
        try await IdentityScene.with { scene in
            func failed(_ kind: String = "login", _ more: String = "subject_id is null", count: Int) throws {
                try scene.stack.expect(
                    """
                    select coalesce(sum(count), 0) from audit_events where kind = '\(kind)' and outcome = 'failed' and \(more)
                    """, becomes: "\(count)", within: .seconds(75))
            }
            let browser = scene.browser()
            let callback = try browser.decide(browser.begin())
            #expect(try scene.browser().comeBack(callback).status == 400)
            try failed(count: 1)
            let code = try #require(Browser.frontend(browser.comeBack(callback))["code"])
            let session = try scene.exchange(code, browser.verifier)
            let (user, token) = (try #require(session["user.id"]?.string), try #require(session["access_token"]?.string))
            for kind in ["registered", "login"] {
                try scene.stack.expect(
                    """
                    select detail from audit_events where kind = '\(kind)' and outcome = 'succeeded' and subject_id = '\(user)'
                    """, becomes: "identity provider example")
            }

            let other = scene.browser()
            let others = try other.session(as: "bob")
            let taken = try #require(other.logIn(as: "bob")["code"])
            let body = #"{"code":"\#(taken)","code_verifier":"\#(other.verifier)"}"#
            #expect(try scene.stack.asUser("POST", "/api/me/identities", body, token: token).problemCode == "identity_in_use")
            try failed("identity_linked", "subject_id = '\(user)' and actor_id = '\(user)'", count: 1)

            let bob = try #require(others["user.id"]?.string)
            _ = try scene.stack.rows("update users set disabled_at = now() where id = '\(bob)'")
            #expect(try other.session(as: "bob").problemCode == "invalid_credentials")
            try failed("login", "subject_id = '\(bob)'", count: 1)

            var refusal = try browser.decide(browser.begin())
            refusal.address = refusal.address.replacing("code=", with: "error=unauthorized_client&left=")
            #expect(try Browser.frontend(browser.comeBack(refusal))["error"] == "server_error")
            try scene.stack.server.process.waitForLine(containing: "callback: the provider's answer is unauthorized_client")
        }
    }

    @Test("is not possible while the provider is away; sessions go on, and what is wrong is told")
    func outage() async throws {
        try await IdentityScene.with { scene in
            let browser = scene.browser()
            let token = try #require(browser.session()["access_token"]?.string)
            let callback = try browser.decide(browser.begin())
            try scene.control("POST", "outage")
            #expect(try Browser.frontend(browser.comeBack(callback))["error"] == "temporarily_unavailable")
            #expect(try scene.stack.asUser("GET", "/api/me", token: token).status == 200)
        }
        try await IdentityScene.with { scene in
            try scene.control("POST", "outage")
            let browser = scene.browser()
            let refused = try Browser.frontend(browser.request("GET", browser.startAddress(["state": "mine"])))
            #expect(refused == ["error": "temporarily_unavailable", "state": "mine"])
            try scene.stack.server.process.waitForLine(containing: #""level":"error""#)
            try scene.stack.server.process.waitForLine(containing: "discovery")
        }
    }
}
