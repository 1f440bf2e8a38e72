import StrictJSON
import TestSupport
import Testing

/// Whoever knew a password may have asked for another address before it was changed.
@Suite("Links that were mailed before a password was changed", .timeLimit(.minutes(5)))
struct WithdrawnLinkTests {
    static let old = "correct horse battery staple"
    static let new = "another horse, another staple"

    @Test("are worth nothing after it was changed, and after it was reset", arguments: [false, true])
    func withdrawn(byReset: Bool) async throws {
        try await Stack.withMail { stack, mail in
            let access = try stack.member("ann@example.com", Self.old)
            #expect(try stack.askForAddress("eve@example.com", token: access).status == 202)
            let change = try #require(try mail.mails(to: "eve@example.com").last).token(
                at: "https://app.example.com/verify-email")
            #expect(try stack.forgot("ann@example.com").status == 202)
            let reset = try #require(try mail.mails(to: "ann@example.com", count: 2).last).token()
            if byReset {
                #expect(try stack.send("password/reset", ["token": reset, "new_password": Self.new]).status == 204)
            } else {
                #expect(try stack.changePassword(token: access).status == 204)
                #expect(
                    try stack.send("password/reset", ["token": reset, "new_password": Self.old]).problemCode == "link_invalid")
            }
            #expect(try stack.send("email/verify", ["token": change]).problemCode == "link_invalid")
            #expect(try stack.logIn("ann@example.com", Self.new).status == 200)
        }
    }

    @Test("leave nobody a way in who made the account of an address that is not theirs", arguments: [false, true])
    func claimed(isConfirmed: Bool) async throws {
        try await Stack.withMail { stack, mail in
            let access = try stack.member("ann@example.com", Self.old)
            let confirmation = try #require(try mail.mails(to: "ann@example.com").last).token(
                at: "https://app.example.com/verify-email")
            if isConfirmed { #expect(try stack.send("email/verify", ["token": confirmation]).status == 204) }
            let made = try stack.asUser("POST", "/api/keys", #"{"name":"a","scopes":["presets"]}"#, token: access)
            let key = try #require(made["key"]?.string)
            _ = try stack.rows(
                """
                insert into identities (id, user_id, issuer, subject)
                select gen_random_uuid(), id, 'https://a.example', 'a' from users
                """)
            #expect(try stack.asUser("GET", "/api/presets", token: key).status == 200)
            #expect(try stack.forgot("ann@example.com").status == 202)
            let reset = try #require(try mail.mails(to: "ann@example.com", count: 2).last).token()
            #expect(try stack.send("password/reset", ["token": reset, "new_password": Self.new]).status == 204)
            #expect(try stack.row("select count(*) from identities") == [isConfirmed ? "1" : "0"])
            if isConfirmed {
                #expect(try stack.asUser("GET", "/api/presets", token: key).status == 200)
            } else {
                try stack.expectRefused(key, on: stack.server, code: "token_invalid", within: .seconds(1))
            }
        }
    }

    @Test("are not sent after it, nor is one good whose mail was under way")
    func waiting() async throws {
        try await Stack.withMail { stack, mail in
            let access = try stack.member("ann@example.com", Self.old)
            // Its mail is answered only after a minute, and the one behind it waits.
            #expect(try stack.askForAddress("slow@example.com", token: access).status == 202)
            try stack.expect("select count(*) from account_links where purpose = 'change'", becomes: "1")
            #expect(try stack.askForAddress("eve@example.com", token: access).status == 202)
            #expect(try stack.changePassword(token: access).status == 204)
            #expect(try stack.row("select count(*) from account_links where purpose = 'change'") == ["0"])
            #expect(try stack.row("select count(*) from mail_outbox") == ["0"])
            let late = "select arm_link(gen_random_uuid(), id, 'change', 'eve@example.com', sha256(''), '1 hour') from users"
            _ = try stack.rows(late)
            #expect(try stack.row("select count(*) from account_links where purpose = 'change'") == ["0"])
            #expect(try mail.mails().allSatisfy { $0.to != ["eve@example.com"] })
        }
    }
}

extension Stack {
    fileprivate func askForAddress(_ email: String, token: String) throws -> RawClient.Response {
        try asUser("POST", "/api/me/email", #"{"email":"\#(email)","password":"\#(WithdrawnLinkTests.old)"}"#, token: token)
    }

    fileprivate func changePassword(token: String) throws -> RawClient.Response {
        let body = #"{"current_password":"\#(WithdrawnLinkTests.old)","new_password":"\#(WithdrawnLinkTests.new)"}"#
        return try asUser("POST", "/api/me/password", body, token: token)
    }
}
