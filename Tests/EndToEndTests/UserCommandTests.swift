import StrictJSON
import TestSupport
import Testing

/// What operators do to accounts.
@Suite("The operator", .timeLimit(.minutes(5)))
struct UserCommandTests {
    static let password = "correct horse battery staple"

    @Test("disables an account within a second on every replica, and nobody can tell it from a wrong password")
    func disable() async throws {
        try await Stack.with(replicas: 2, users: 0) { stack in
            let access = try stack.member("ann@example.com", Self.password)
            let refresh = try #require(try stack.logIn("ann@example.com", Self.password)["refresh_token"]?.string)
            let running = try stack.complete(
                "id=cut tokens=10000 interval=20", on: stack.replicas[1], token: access, parameters: #""max_tokens":10000"#)
            _ = try running.readHead()
            let id = try #require(try stack.row("select id from users")[0])
            #expect(try stack.command("user", "disable", "Ann@example.com") == [id])
            for replica in stack.replicas {
                try stack.expectRefused(access, on: replica, code: "session_revoked", within: .seconds(1))
            }
            #expect(try stack.refresh(refresh).problemCode == "session_revoked")
            _ = try stack.upstreamEnding("cut")
            let right = try stack.logIn("ann@example.com", Self.password)
            let wrong = try stack.logIn("ann@example.com", "not this one")
            #expect(right.problemCode == "invalid_credentials")
            #expect(right.withoutRequestID == wrong.withoutRequestID)
            #expect(try stack.command("user", "disable", id) == [id], "once more is no error")
            let listed = try stack.command("user", "list", "--json").joined()
            #expect(try JSONValue(parsing: Array(listed.utf8))["disabled_at"]?.string != nil)

            let enabling = try ChildProcess.run("APIServer", ["user", "enable", id], environment: stack.environment)
            let line = try JSONValue(parsing: Array(try #require(enabling.first { $0.hasPrefix("{") }).utf8))
            #expect(line["message"]?.string == "audit" && line["event"]?.string == "account_enabled")
            #expect(line["user_id"]?.string == id && line["outcome"]?.string == "succeeded" && enabling.contains(id))
            #expect(try stack.logIn("ann@example.com", Self.password).status == 200)
            #expect(
                try stack.asUser("GET", "/api/me", token: access).problemCode == "session_revoked", "what has ended has ended")
            let events = try stack.rows("select kind from audit_events where kind like 'account_%' order by at").joined()
            #expect(Array(events) == ["account_disabled", "account_disabled", "account_enabled"])
        }
    }

    @Test("invites somebody, who chooses a password by a link that is good once")
    func invite() async throws {
        try await Stack.with(users: 0, environment: ["REGISTRATION": "closed", "FRONTEND_URL": "https://app.example.com"]) {
            stack in
            let lines = try stack.command("user", "invite", "Ann@example.com", "--json")
            let answer = try JSONValue(parsing: Array(lines.joined().utf8))
            let token = try #require(answer["token"]?.string)
            #expect(answer["link"]?.string == "https://app.example.com/reset-password#token=\(token)")
            #expect(answer["expires_in"]?.integer == 7 * 86_400)
            #expect(
                try stack.command("user", "invite", "bob@example.com")[1].hasPrefix(
                    "https://app.example.com/reset-password#token=pgi_"))
            #expect(throws: TestFailure.self) { try stack.command("user", "invite", "ann@example.com") }
            #expect(try stack.logIn("ann@example.com", Self.password).status == 401)
            #expect(try stack.send("password/reset", ["token": token, "new_password": Self.password]).status == 204)
            #expect(
                try stack.send("password/reset", ["token": token, "new_password": Self.password]).problemCode == "link_invalid")
            #expect(try stack.logIn("ann@example.com", Self.password).status == 200)
            #expect(
                try stack.row("select email_verified_at is not null from users where email = 'ann@example.com'") == ["t"])
            let stored = try stack.rows("select l::text from account_links l union all select u::text from users u").joined()
            #expect(!stored.contains { $0?.contains(token.dropFirst(60)) == true })
        }
    }

    @Test("has the servers mail an invitation, and a link to choose another password")
    func mailed() async throws {
        try await Stack.withMail { stack, mail in
            #expect(try stack.command("user", "invite", "ann@example.com", "--mail").count == 1, "no token is printed")
            let sent = try #require(try mail.mails(to: "ann@example.com").last)
            #expect(sent.subject == "You are invited")
            #expect(try stack.send("password/reset", ["token": sent.token(), "new_password": Self.password]).status == 204)
            #expect(try stack.command("user", "reset", "ann@example.com", "--mail").count == 1)
            let reset = try #require(
                try mail.mails(to: "ann@example.com", count: 3).last { $0.subject == "Choose a new password" })
            #expect(try stack.send("password/reset", ["token": reset.token(), "new_password": "another horse"]).status == 204)
        }
    }

    @Test("gives out a link to choose another password, creates accounts, assigns plans and lists them all")
    func others() async throws {
        try await Stack.with(users: 0) { stack in
            let script = #"echo '\#(Self.password)' | "$0" user create ann@example.com"#
            let created = try ChildProcess(
                "/bin/sh", ["-c", script, ChildProcess.buildDirectory + "/APIServer"], environment: stack.environment)
            #expect(try created.waitForOutput() == 0)
            // Its log comes by another pipe, in whichever order.
            let id = try #require(created.lines.first { !$0.hasPrefix("{") })
            #expect(try stack.logIn("ann@example.com", Self.password).status == 200)
            let reset = try stack.command("user", "reset", id)
            #expect(reset.first == id)
            let token = try #require(reset.last)
            #expect(token.hasPrefix("pgp_"))
            #expect(try stack.send("password/reset", ["token": token, "new_password": "another horse"]).status == 204)
            _ = try stack.command("plan", "set", "gold", "--requests-per-minute", "10")
            _ = try stack.command("user", "assign", "ann@example.com", "gold")
            #expect(try stack.row("select detail from audit_events where kind = 'plan_assigned'") == ["plan gold"])
            let columns = try stack.command("user", "list", "--csv")
            #expect(columns[0].hasPrefix("id,email,plan,created_at,email_verified_at,disabled_at,sessions"))
            #expect(columns[1].hasPrefix("\(id),ann@example.com,gold,"))
            #expect(try stack.command("user", "list", "--search", "ANN").count == 2)
            #expect(try stack.command("user", "list", "--search", "bob").count == 1)
            for arguments in [["disable", "nobody@example.com"], ["enable", id + "0"], ["reset", "bob@example.com"]] {
                #expect(throws: TestFailure.self) { try stack.command(["user"] + arguments) }
            }
        }
    }
}

extension Stack {
    /// Runs a command of the operator; the lines it printed.
    func command(_ arguments: String...) throws -> [String] { try command(arguments) }
    func command(_ arguments: [String]) throws -> [String] { try Self.run(arguments, environment).filter { !$0.isEmpty } }
}
