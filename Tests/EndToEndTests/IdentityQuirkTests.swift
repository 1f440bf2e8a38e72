import Foundation
import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

/// What real providers and phones bring, and what becomes of accounts.
@Suite("Identities and accounts")
struct IdentityQuirkTests {
    @Test("a provider may post a form, take only signed secrets, have several audiences, and write booleans as strings")
    func form() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (key, publicKey) = (directory.appending(path: "key.pem").path, directory.appending(path: "public.pem").path)
        try await offPool {
            for arguments in [
                ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
                ["pkey", "-in", key, "-pubout", "-out", publicKey],
            ] where try ChildProcess("/usr/bin/openssl", arguments).waitForExit() != 0 {
                throw TestFailure("openssl \(arguments)")
            }
        }
        let options = ["--form-post", "--audience", "playground.ios", "--audience", "somebody", "--secret-key", publicKey]
        let free = try freePort()
        // The audience of the secret is the provider's own address, whose port is not known before it runs.
        let client = """
            "response_mode":"form_post","audiences":["playground.ios"],"signed_secret":{"key_file":"\(key)","key_id":"KEY1","issuer":"TEAM1",\
            "audience":"http://127.0.0.1:\(free)"}
            """
        try await IdentityScene.with(options: options + ["--port", "\(free)"], client: client) { scene in
            try scene.setPerson("ann", #"{"email":"ann@example.org","email_verified":"true","azp":"playground.ios"}"#)
            let browser = scene.browser()
            let page = try browser.begin()
            #expect(Browser.items(page)["response_mode"] == "form_post")
            let callback = try browser.decide(page)
            #expect(callback.form?["code"] != nil)
            var stray = callback
            stray.form?["user"] = #"{"name":{"firstName":"Ann"}}"#
            let code = try #require(Browser.frontend(browser.comeBack(stray))["code"])
            let session = try scene.exchange(code, browser.verifier)
            #expect(session["user.email"]?.string == "ann@example.org")
            #expect(try scene.browser().session().status == 200)

            let secrets = try #require(scene.control("GET", "secrets").array)
            #expect(secrets.count == 2)
            let secret = secrets[0]
            #expect(
                secret["header.kid"]?.string == "KEY1" && secret["iss"]?.string == "TEAM1"
                    && secret["sub"]?.string == "playground")
            let life = (secret["exp"]?.integer ?? 0) - (secret["iat"]?.integer ?? 0)
            #expect(life == 300, "made anew for each request, long before its end")

            // Issued to somebody else: with several audiences that is another's token.
            try scene.setPerson("eve", #"{"azp":"somebody"}"#)
            #expect(try scene.browser().logIn(as: "eve")["error"] == "server_error")
            try scene.setPerson("eve", "{}")
            #expect(try scene.browser().logIn(as: "eve")["error"] == "server_error")
        }
    }

    @Test(
        "an e-mail address joins no account, verified or not; whoever is logged in may link an identity, and log in with it then"
    )
    func linking() async throws {
        try await IdentityScene.with { scene in
            let stack = scene.stack
            let credentials = #"{"email":"ann@example.org","password":"correct horse battery staple"}"#
            _ = try stack.post("/api/auth/register", credentials)
            let own = try stack.post("/api/auth/login", credentials)
            let token = try #require(own["access_token"]?.string)
            try scene.setPerson("eve", #"{"email":"ann@example.org","email_verified":true}"#)
            let eve = try scene.browser().session(as: "eve")
            #expect(eve["user.id"]?.string != own["user.id"]?.string && eve["user.email"] == nil)
            let eveToken = try #require(eve["access_token"]?.string)
            let me = try stack.asUser("GET", "/api/me", token: eveToken)
            #expect(me.status == 200 && me["email"] == nil && me["id"]?.string == eve["user.id"]?.string)
            try scene.setPerson("unverified", #"{"email":"new@example.org","email_verified":false}"#)
            #expect(try scene.browser().session(as: "unverified")["user.email"] == nil)

            func link(_ subject: String, _ token: String) throws -> RawClient.Response {
                let browser = scene.browser()
                let code = try #require(browser.logIn(as: subject)["code"])
                return try stack.asUser(
                    "POST", "/api/me/identities", #"{"code":"\#(code)","code_verifier":"\#(browser.verifier)"}"#, token: token)
            }
            _ = try stack.rows("update sessions set created_at = created_at - interval '10 minutes'")
            #expect(try link("ann", token).problemCode == "reauthentication_required", "somebody else may have got hold of it")
            _ = try stack.rows("update sessions set created_at = created_at + interval '10 minutes'")
            let linked = try link("ann", token)
            #expect(linked.status == 201 && linked["provider"]?.string == "example")
            #expect(try link("ann", token)["id"]?.string == linked["id"]?.string)
            #expect(try scene.browser().session(as: "ann")["user.id"]?.string == own["user.id"]?.string)
            #expect(try link("eve", token).problemCode == "identity_in_use")
            #expect(try scene.browser().session(as: "eve")["user.id"]?.string == eve["user.id"]?.string)

            let identity = try #require(linked["id"]?.string)
            let missing = try stack.asUser("DELETE", "/api/me/identities/\(UUID().uuidString.lowercased())", token: eveToken)
            let foreign = try stack.asUser("DELETE", "/api/me/identities/\(identity)", token: eveToken)
            #expect(missing.problemCode == "not_found" && foreign.problemCode == "not_found")
            let last = try #require(stack.asUser("GET", "/api/me/identities", token: eveToken)["data.0.id"]?.string)
            #expect(try stack.asUser("DELETE", "/api/me/identities/\(last)", token: eveToken).problemCode == "last_login_method")
            #expect(try stack.asUser("DELETE", "/api/me/identities/\(identity)", token: token).status == 204)
            #expect(try stack.asUser("GET", "/api/me/identities", token: token)["data.0"] == nil)
            #expect(try scene.browser().session(as: "ann")["user.id"]?.string != own["user.id"]?.string)

            _ = try stack.rows("update users set disabled_at = now() where id = '\(eve["user.id"]?.string ?? "")'")
            #expect(try scene.browser().session(as: "eve").problemCode == "invalid_credentials")
            try stack.expect(
                "select count(*) from audit_events where kind = 'login' and outcome = 'failed' and subject_id is not null",
                becomes: "1")
        }
    }

    @Test("where registration is closed only who has an account gets in")
    func closed() async throws {
        try await IdentityScene.with(environment: ["REGISTRATION": "closed"]) { scene in
            let browser = scene.browser()
            let refused = try browser.session()
            #expect(refused.status == 403 && refused.problemCode == "registration_closed")
            try scene.stack.expect("select count(*) from users", becomes: "0")
            _ = try scene.stack.rows(
                """
                with made as (insert into users (id, email) values (gen_random_uuid(), 'ann@example.org') returning id)
                insert into identities (id, user_id, issuer, subject)
                select gen_random_uuid(), id, 'http://127.0.0.1:\(scene.port)', 'ann' from made
                """)
            #expect(try browser.session()["user.email"]?.string == "ann@example.org")
        }
    }

    @Test("an app logs in with the ID token it got by itself, once; by cookie too where it asks for that")
    func native() async throws {
        try await IdentityScene.with(client: #""audiences":["playground.ios"]"#) { scene in
            func signIn(_ token: String, _ nonce: String, _ more: String = "") throws -> RawClient.Response {
                try scene.stack.post("/api/auth/oidc/example/token", #"{"id_token":"\#(token)","nonce":"\#(nonce)"\#(more)}"#)
            }
            let nonce = "a nonce of the app"
            let digest = SHA256Digest(of: Array(nonce.utf8).span).bytes
            let hexadecimal = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            let token = try scene.idToken(client: "playground.ios", nonce: hexadecimal)
            #expect(try signIn(token, "another nonce of the app").problemCode == "id_token_invalid")
            let session = try signIn(token, nonce)
            #expect(session.status == 200 && session["refresh_token"] != nil)
            #expect(try signIn(token, nonce).problemCode == "id_token_invalid", "a token is taken once")
            #expect(try scene.browser().session()["user.id"]?.string == session["user.id"]?.string)

            let plain = try scene.idToken(client: "playground", nonce: nonce)
            #expect(try signIn(plain, nonce, #","token_delivery":"cookie""#).problemCode == "origin_not_allowed")
            #expect(try signIn(plain, nonce)["user.id"]?.string == session["user.id"]?.string)

            let foreign = try scene.idToken(client: "somebody", nonce: "a nonce of another app")
            #expect(try signIn(foreign, "a nonce of another app").problemCode == "id_token_invalid")
            #expect(try signIn(String(plain.dropLast(8)), nonce).status == 401)
            #expect(try signIn(token, "short").problemCode == "invalid_request")
            let elsewhere = try scene.stack.post("/api/auth/oidc/other/token", #"{"id_token":"x","nonce":"a nonce of the app"}"#)
            #expect(elsewhere.problemCode == "not_found")

            // The keys are known: the provider may be away.
            let late = try scene.idToken(client: "playground", nonce: "a nonce for later on")
            try scene.control("POST", "outage")
            #expect(try signIn(late, "a nonce for later on").status == 200)
            #expect(!scene.stack.server.process.lines.contains { $0.contains(token) || $0.contains(late) })
        }
    }
}

extension IdentityScene {
    /// An ID token as an app gets it, without this API.
    fileprivate func idToken(client: String, nonce: String, subject: String = "ann") throws -> String {
        let verifier = UUID().uuidString + UUID().uuidString
        let redirect = "com.example.app:/done"
        let page =
            "http://127.0.0.1:\(port)/oauth2/authorize?"
            + Browser.query([
                "response_type": "code", "client_id": client, "redirect_uri": redirect, "scope": "openid email", "nonce": nonce,
                "code_challenge": Browser.challenge(of: verifier), "code_challenge_method": "S256",
            ])
        let form = ["Content-Type": "application/x-www-form-urlencoded"]
        let location = try http("POST", page, form, body: Browser.query(["sub": subject])).head["location"] ?? ""
        let answer = try http(
            "POST", "http://127.0.0.1:\(port)/oauth2/token", form,
            body: Browser.query([
                "grant_type": "authorization_code", "code": Browser.items(location)["code"] ?? "", "redirect_uri": redirect,
                "client_id": client, "code_verifier": verifier,
            ]))
        guard let token = answer["id_token"]?.string else { throw TestFailure("no ID token: \(answer.text)") }
        return token
    }
}
