import Glibc
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Lost passwords and addresses to confirm, with a real mail server.
@Suite("Accounts by mail", .timeLimit(.minutes(5)))
struct RecoveryTests {
    static let password = "correct horse battery staple"
    static let newPassword = "another horse, another staple"

    @Test("get a new password by a link that is good once, and all their sessions end everywhere")
    func reset() async throws {
        try await Stack.withMail(replicas: 2) { stack, mail in
            try stack.register("ann@example.com", Self.password)
            let session = try stack.logIn("ann@example.com", Self.password)
            let access = try #require(session["access_token"]?.string)
            let refresh = try #require(session["refresh_token"]?.string)
            _ = try mail.mails(to: "ann@example.com")

            #expect(try stack.forgot("ann@example.com").status == 202)
            let sent = try #require(try mail.mails(to: "ann@example.com", count: 2).last)
            #expect(sent.from == "noreply@example.com")
            #expect(sent.subject == "Choose a new password")
            #expect(sent.defects.isEmpty)
            let token = try sent.token(at: "https://app.example.com/reset-password")

            let weak = try stack.send("password/reset", ["token": token, "new_password": "password"])
            #expect(weak.status == 400)
            #expect(weak["errors"]?.array?.compactMap { $0["param"]?.string } == ["new_password"])
            #expect(try stack.send("password/reset", ["token": token, "new_password": "ann@example.com"]).status == 400)
            let done = try stack.send("password/reset", ["token": token, "new_password": Self.newPassword])
            #expect(done.status == 204)
            for replica in stack.replicas {
                try stack.expectRefused(access, on: replica, code: "session_revoked", within: .seconds(1))
                #expect(try stack.refresh(refresh, on: replica).problemCode == "session_revoked")
                let again = try stack.send("password/reset", ["token": token, "new_password": Self.newPassword], on: replica)
                #expect(again.status == 400)
                #expect(again.problemCode == "link_invalid")
            }
            #expect(try stack.logIn("ann@example.com", Self.password).problemCode == "invalid_credentials")
            #expect(try stack.logIn("ann@example.com", Self.newPassword).status == 200)
            let notice = try #require(try mail.mails(to: "ann@example.com", count: 3).last)
            #expect(notice.subject == "Your password was changed")
            try stack.expect("select count(*) from mail_outbox", becomes: "0")
            #expect(try stack.row("select count(*) from account_links where purpose = 'reset'") == ["0"])
            let log = stack.replicas.flatMap(\.process.lines).joined()
            for secret in [token, Self.newPassword, "ann@example.com"] { #expect(!log.contains(secret)) }
        }
    }

    @Test("have their links used once, however many use one at the same time, and the others are worth nothing after that")
    func singleUse() async throws {
        try await Stack.withMail(replicas: 2) { stack, mail in
            try stack.register("ann@example.com", Self.password)
            // Mails of several requests have no order among them.
            _ = try mail.mails(to: "ann@example.com")
            for _ in 0..<2 { #expect(try stack.forgot("ann@example.com").status == 202) }
            // Two requests at one time may have become one mail.
            let first = try #require(try mail.mails(to: "ann@example.com", count: 2).last).token()
            #expect(try stack.forgot("ann@example.com").status == 202)
            try stack.expect("select count(*) from mail_outbox", becomes: "0")
            let last = try #require(try mail.mails(to: "ann@example.com", count: 3).last).token()
            #expect(first != last)
            let statuses = Mutex<[Int]>([])
            try concurrently(6) { index in
                // Each of them hashes, one after the other.
                let client = try stack.replicas[index % 2].client(deadline: .seconds(60))
                let body = #"{"token":"\#(first)","new_password":"\#(Self.newPassword)"}"#
                let answer = try client.request(
                    "POST", "/api/auth/password/reset", ["Content-Type": "application/json"], body: body)
                statuses.withLock { $0.append(answer.status) }
            }
            #expect(statuses.withLock { $0.filter { $0 == 204 }.count } == 1)
            #expect(statuses.withLock { $0.allSatisfy { $0 == 204 || $0 == 400 } })
            #expect(
                try stack.send("password/reset", ["token": last, "new_password": Self.password]).problemCode == "link_invalid")
        }
    }

    @Test("have links that are good for one thing, for their time, and nowhere else")
    func purposes() async throws {
        try await Stack.withMail { stack, mail in
            try stack.register("ann@example.com", Self.password)
            let verify = try #require(try mail.mails(to: "ann@example.com").last).token(
                at: "https://app.example.com/verify-email")
            #expect(try stack.forgot("ann@example.com").status == 202)
            let reset = try #require(try mail.mails(to: "ann@example.com", count: 2).last).token()
            let session = try stack.logIn("ann@example.com", Self.password)
            let access = try #require(session["access_token"]?.string)
            let refresh = try #require(session["refresh_token"]?.string)
            for token in [verify, access, refresh, "pgp_" + verify.dropFirst(4), "", "x", reset + "A"] {
                #expect(try stack.send("password/reset", ["token": token, "new_password": Self.newPassword]).status == 400)
            }
            for token in [reset, access, refresh, "pgv_" + reset.dropFirst(4)] {
                #expect(try stack.send("email/verify", ["token": token]).problemCode == "link_invalid")
            }
            for token in [reset, verify] {
                #expect(try stack.asUser("GET", "/api/me", token: token).problemCode == "token_invalid")
                #expect(try stack.refresh(token).problemCode == "token_invalid")
            }
            // All of them are stored, and none of them is.
            let stored = try stack.rows(
                "select l::text from account_links l union all select o::text from mail_outbox o union all select u::text from users u"
            )
            for token in [reset, verify] { #expect(!stored.joined().contains { $0?.contains(token.dropFirst(60)) == true }) }
            #expect(try stack.row("select count(*) from account_links") == ["2"])
            _ = try stack.rows("update account_links set expires_at = now()")
            #expect(
                try stack.send("password/reset", ["token": reset, "new_password": Self.newPassword]).problemCode == "link_invalid"
            )
            #expect(try stack.send("email/verify", ["token": verify]).problemCode == "link_invalid")
        }
    }

    @Test("have their address confirmed by who reads its mail, and are told when somebody registers it again")
    func verify() async throws {
        try await Stack.withMail { stack, mail in
            try stack.register("ann@example.com", Self.password)
            let sent = try #require(try mail.mails(to: "ann@example.com").last)
            #expect(sent.subject == "Confirm your e-mail address")
            let token = try sent.token(at: "https://app.example.com/verify-email")
            #expect(try stack.row("select email_verified_at is null from users") == ["t"])
            let access = try #require(try stack.logIn("ann@example.com", Self.password)["access_token"]?.string)
            #expect(try stack.asUser("GET", "/api/me", token: access)["email_verified"]?.bool == false)
            #expect(try stack.send("email/verify", ["token": token]).status == 204)
            #expect(try stack.asUser("GET", "/api/me", token: access)["email_verified"]?.bool == true)
            #expect(try stack.send("email/verify", ["token": token]).problemCode == "link_invalid")
            try stack.register("ann@example.com", Self.newPassword)
            let again = try #require(try mail.mails(to: "ann@example.com", count: 2).last)
            #expect(again.subject == "You have an account already")
            #expect(!again.body.contains("token"))
        }
    }

    @Test("are sent five mails an hour, whoever asks, and no more is told about who has none")
    func throttled() async throws {
        try await Stack.withMail(replicas: 2) { stack, mail in
            _ = try stack.rows("insert into users (id, email) values (gen_random_uuid(), 'ann@example.com')")
            var refusals: [String] = []
            for address in ["ann@example.com", "nobody@example.com"] {
                for number in 0..<5 { #expect(try stack.forgot(address, on: stack.replicas[number % 2]).status == 202) }
                let refused = try stack.forgot(address, on: stack.replicas[1])
                #expect(refused.status == 429)
                #expect(refused.problemCode == "too_many_attempts")
                #expect((3_500_000...3_600_000).contains(refused["retry_after_ms"]?.integer ?? 0))
                refusals.append(refused["detail"]?.string ?? "")
            }
            #expect(refusals[0] == refusals[1])
            #expect(try stack.forgot("not an address").status == 400)
            #expect(try stack.forgot("bob@example.com").status == 202, "somebody else is not concerned")
        }
    }

    @Test("are sent no more mails by who registers their address again and again, who is told nothing of that")
    func registeredAgain() async throws {
        try await Stack.withMail(environment: ["TRUSTED_PROXIES": "127.0.0.0/8"]) { stack, mail in
            for number in 1...7 {
                let answer = try stack.ask(
                    "POST", "/api/auth/register", ["Content-Type": "application/json", "X-Forwarded-For": "10.0.0.\(number)"],
                    body: #"{"email":"ann@example.com","password":"\#(Self.password)"}"#)
                #expect(answer.status == 202)
                try stack.expect("select count(*) from mail_outbox", becomes: "0")
            }
            #expect(try mail.mails().count == 5)
        }
    }

    @Test("wait for their mail while the mail server is away, and get it when it is back")
    func outage() async throws {
        let port = try freePort()
        try await Stack.with(users: 0, environment: Stack.mailVariables(port: port)) { stack in
            try stack.register("ann@example.com", Self.password)
            try stack.expect("select attempts from mail_outbox", becomes: "1")
            try stack.expect("select due_at < now() + interval '6 seconds' from mail_outbox where attempts = 1", becomes: "t")
            let mail = try MailServer(port: port)
            _ = try stack.rows("update mail_outbox set due_at = now()")
            #expect(try mail.mails(to: "ann@example.com").count == 1)
            try stack.expect("select count(*) from mail_outbox", becomes: "0")
            let metrics = try stack.ask("GET", "/metrics").text
            #expect(metrics.contains(#"mails_total{kind="verify_email",outcome="delayed"}"#))
            #expect(metrics.contains(#"mails_total{kind="verify_email",outcome="sent"} 1"#))
        }
    }

    @Test("lose no mail when the replica that sends it is killed: another sends it, with the same link")
    func killed() async throws {
        try await Stack.withMail { stack, mail in
            // Its mail is answered only after a minute.
            _ = try stack.rows("insert into users (id, email) values (gen_random_uuid(), 'slow@example.com')")
            #expect(try stack.forgot("slow@example.com").status == 202)
            try stack.expect("select count(*) from account_links", becomes: "1")
            let hash = try stack.row("select encode(token_hash, 'hex') from account_links")
            try stack.server.process.kill()
            let row = try stack.row(
                "select attempts, due_at between now() + interval '90 seconds' and now() + interval '2 minutes' from mail_outbox")
            #expect(row == ["1", "t"], "nobody else sends it for two minutes")
            _ = try stack.rows(
                "update mail_outbox set email = 'ann@example.com', due_at = now(); update users set email = 'ann@example.com'")
            try stack.startReplica()
            let token = try #require(try mail.mails(to: "ann@example.com").last).token()
            #expect(try stack.row("select encode(token_hash, 'hex') from account_links") == hash)
            _ = try stack.rows("update account_links set email = 'ann@example.com'")
            let answer = try stack.send(
                "password/reset", ["token": token, "new_password": Self.newPassword], on: stack.replicas[1])
            #expect(answer.status == 204)
        }
    }

    @Test("give up a mail that the server refuses for good, and say so in the log without the address")
    func refused() async throws {
        try await Stack.withMail { stack, _ in
            _ = try stack.rows("insert into users (id, email) values (gen_random_uuid(), 'refused@example.com')")
            #expect(try stack.forgot("refused@example.com").status == 202)
            let line = try stack.server.process.waitForLine(containing: "not tried again")
            #expect(line.contains("550"))
            #expect(!line.contains("refused@example.com"))
            try stack.expect("select count(*) from mail_outbox", becomes: "0")
        }
    }

    @Test("do without where the server sends no mail, and say so")
    func off() async throws {
        try await Stack.with(users: 0) { stack in
            let answer = try stack.forgot("ann@example.com")
            #expect(answer.status == 403)
            #expect(answer.problemCode == "mail_disabled")
            try stack.register("ann@example.com", Self.password)
            #expect(try stack.row("select count(*) from mail_outbox") == ["0"])
            #expect(try stack.ask("GET", "/api/info")["account.password_reset"]?.bool == false)
            #expect(
                try stack.send("password/reset", ["token": "x", "new_password": Self.newPassword]).problemCode == "link_invalid")
        }
        try await Stack.withMail { stack, _ in
            let info = try stack.ask("GET", "/api/info")
            #expect(info["account.password_reset"]?.bool == true)
        }
    }
}

extension MailServer.Mail {
    /// What the mail's link carries behind `#token=`.
    func token(at page: String = "https://app.example.com/reset-password") throws -> String {
        guard let start = body.firstRange(of: page + "#token=") else { throw TestFailure("no link to \(page) in: \(body)") }
        return String(body[start.upperBound...].prefix { !$0.isWhitespace })
    }
}

extension Stack {
    /// What a server is told about a mail server on this machine.
    static func mailVariables(port: UInt16) -> [String: String] {
        [
            "SMTP_URL": "smtp://127.0.0.1:\(port)", "MAIL_FROM": "Playground <noreply@example.com>",
            "FRONTEND_URL": "https://app.example.com/",
        ]
    }

    /// A system without users, and a mail server that it hands its mails to.
    static func withMail(
        replicas: Int = 1, environment: [String: String] = [:], _ body: @escaping @Sendable (Stack, MailServer) throws -> Void
    ) async throws {
        let mail = try await offPool { try MailServer() }
        let variables = mailVariables(port: mail.port).merging(environment) { $1 }
        try await with(replicas: replicas, users: 0, environment: variables) { stack in try body(stack, mail) }
    }

    /// Sends a request below `/api/auth`, from nobody in particular.
    func send(_ route: String, _ members: [String: String], on replica: Replica? = nil) throws -> RawClient.Response {
        var writer = JSONWriter()
        writer.object { writer in for (name, value) in members { writer.member(named: name, value) } }
        return try ask(
            "POST", "/api/auth/\(route)", ["Content-Type": "application/json"],
            body: String(decoding: writer.bytes, as: UTF8.self),
            on: replica)
    }

    func register(_ email: String, _ password: String) throws {
        let answer = try send("register", ["email": email, "password": password])
        guard answer.status == 202 else { throw TestFailure("not registered: \(answer.text)") }
    }

    func logIn(_ email: String, _ password: String, on replica: Replica? = nil) throws -> RawClient.Response {
        try send("login", ["email": email, "password": password], on: replica)
    }

    func forgot(_ email: String, on replica: Replica? = nil) throws -> RawClient.Response {
        try send("password/forgot", ["email": email], on: replica)
    }
}
