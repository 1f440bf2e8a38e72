import Foundation
import StrictJSON
import TestSupport
import Testing

/// What the operator is told of log-ins, with real passwords: few of them.
@Suite("The audit trail of a server")
struct AuditTests {
    private static let password = "correct horse battery staple"

    @Test("tells every event of authentication once, as a line and as a row, and gives no secret and no stranger away")
    func trail() async throws {
        try await Stack.with(users: 0, environment: ["TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "notice"]) { stack in
            // One connection, and so one loop: each loop gathers refusals by itself.
            let client = try stack.server.client()
            func post(_ path: String, _ body: String) throws -> RawClient.Response {
                try client.request(
                    "POST", "/api/auth/\(path)",
                    ["Content-Type": "application/json", "X-Forwarded-For": "198.51.100.7", "User-Agent": "phone/2"], body: body)
            }
            func credentials(_ name: String, _ password: String = Self.password) -> String {
                #"{"email":"\#(name)@example.com","password":"\#(password)"}"#
            }
            #expect(try post("register", credentials("ann")).status == 202)
            #expect(try post("register", credentials("ann")).status == 202)
            #expect(try post("login", credentials("ann", "a wrong password")).status == 401)
            #expect(try post("login", credentials("eve", "a wrong password")).status == 401)
            #expect(try post("login", credentials("eve", "a wrong password")).status == 401)
            let login = try post("login", credentials("ann"))
            let user = try #require(login["user.id"]?.string)
            let first = try #require(login["refresh_token"]?.string)
            let second = try #require(try post("refresh", #"{"refresh_token":"\#(first)"}"#)["refresh_token"]?.string)
            #expect(try post("refresh", #"{"refresh_token":"\#(second)"}"#).status == 200)
            #expect(try post("refresh", #"{"refresh_token":"\#(first)"}"#).problemCode == "session_revoked")
            let other = try #require(try post("login", credentials("ann"))["refresh_token"]?.string)
            #expect(try post("logout", #"{"refresh_token":"\#(other)"}"#).status == 204)
            #expect(try post("logout", #"{"refresh_token":"\#(other)"}"#).status == 204, "ends nothing and is no event")
            let script = #"echo '\#(Self.password)' | "$0" create-user --email bob@example.com"#
            let command = try ChildProcess(
                "/bin/sh", ["-c", script, ChildProcess.buildDirectory + "/APIServer"], environment: stack.environment)
            #expect(try command.waitForOutput() == 0, "\(command.lines)")

            try stack.expect("select count(*) from audit_events", becomes: "9")
            let lines = stack.server.process.lines.compactMap { try? JSONValue(parsing: $0).object }
                .filter { $0["message"]?.string == "audit" }
            #expect(lines.count == 9, "two failures share a row, and the operator's command has no log")
            let printed = try Stack.run(["audit", "--json"], stack.environment).compactMap { try? JSONValue(parsing: $0) }
            #expect(
                printed.map { [$0["kind"]?.string ?? "", $0["outcome"]?.string ?? ""].joined(separator: " ") }.sorted() == [
                    "account_created succeeded", "login failed", "login failed", "login succeeded", "login succeeded",
                    "logout succeeded", "refresh_reused failed", "registered failed", "registered succeeded",
                ])
            for row in printed where row["kind"]?.string != "account_created" {
                #expect(row["address"]?.string == "198.51.100.7" && row["user_agent"]?.string == "phone/2")
                let request = row["request_id"]?.string
                #expect(lines.contains { $0["request_id"]?.string == request && $0["event"] == row["kind"] })
            }
            #expect(printed.count { $0["subject_id"]?.string == user } == 7)
            #expect(printed.count { $0["actor_id"]?.string == user } == 4)
            #expect(printed.count { $0["account"] != nil } == 1)
            for session in try stack.rows("select id from sessions").compactMap(\.[0]) {
                #expect(printed.contains { $0["session_id"]?.string == session })
            }

            let told =
                (stack.server.process.lines + (try stack.rows("select t::text from audit_events t").joined().compactMap(\.self)))
                .joined(separator: "\n")
            for word in ["@example.com", Self.password, "a wrong password", first, second, other] {
                #expect(!told.contains(word), "\(word)")
            }
            // Stopping writes what was still being counted.
            stack.server.process.signal(SIGTERM)
            _ = try stack.server.process.waitForExit()
            #expect(try stack.row("select count from audit_events where account is not null") == ["2"])
            let mine = try Stack.run(["audit", "--user", "ann@example.com", "--kind", "login", "--csv"], stack.environment)
            #expect(mine.filter { !$0.isEmpty }.count == 1 + 3)
            #expect(
                try Stack.run(["audit", "--user", user, "--limit", "2"], stack.environment).filter { !$0.isEmpty }.count == 3)
        }
    }
}
