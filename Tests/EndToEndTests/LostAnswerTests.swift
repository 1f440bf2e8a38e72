import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Refresh tokens whose answer was lost, on replicas that are processes. Time passes for the row, instead of for the test.
@Suite("A refresh answer that was lost")
struct LostAnswerTests {
    static let account = #"{"email":"ann@example.com","password":"\#(SessionTests.password)"}"#

    @Test("is given again by any replica until the successor is used, for a day; after that the session is over for everybody")
    func laterAndLater() async throws {
        try await Stack.with(replicas: 3, users: 0) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            for (later, isGivenAgain) in [("15 seconds", true), ("1 hour", true), ("23 hours", true), ("25 hours", false)] {
                let login = try SessionListTests.Holder(stack.post("/api/auth/login", Self.account))
                // Nobody reads the answer.
                let lost = try stack.server.client()
                try lost.sendRequest(
                    "POST", "/api/auth/refresh", ["Content-Type": "application/json"],
                    body: #"{"refresh_token":"\#(login.refresh)"}"#)
                let newest = "from sessions where id = (select id from sessions order by created_at desc limit 1)"
                try stack.expect("select counter \(newest)", becomes: "1")
                lost.reset()
                _ = try stack.rows(
                    "update sessions set rotated_at = rotated_at - interval '\(later)' "
                        + "where id = (select id \(newest)) returning id")
                let again = try stack.refresh(login.refresh, on: stack.replicas[1])
                guard isGivenAgain else {
                    #expect(again.problemCode == "session_revoked", "\(later)")
                    for replica in stack.replicas {
                        try stack.expectRefused(login.access, on: replica, code: "session_revoked", within: .seconds(1))
                    }
                    continue
                }
                #expect(again.status == 200, "\(later)")
                let next = try SessionListTests.Holder(again)
                #expect(try stack.refresh(login.refresh, on: stack.replicas[2])["refresh_token"]?.string == next.refresh)
                #expect(try stack.asUser("GET", "/api/me", token: next.access).status == 200)
                #expect(try stack.refresh(next.refresh, on: stack.replicas[2]).status == 200, "\(later)")
                #expect(try stack.refresh(login.refresh).problemCode == "session_revoked", "a copy ends the session for both")
                #expect(try stack.refresh(next.refresh, on: stack.replicas[1]).problemCode == "session_revoked")
                for replica in stack.replicas {
                    try stack.expectRefused(next.access, on: replica, code: "session_revoked", within: .seconds(1))
                }
            }
        }
    }

    @Test("sessions end seven days after their last refresh and thirty after their log-in, by the database's clock")
    func lifetimes() async throws {
        try await Stack.with(replicas: 2, users: 0) { stack in
            _ = try stack.post("/api/auth/register", Self.account)
            let holders = try (0..<4).map { _ in try SessionListTests.Holder(stack.post("/api/auth/login", Self.account)) }
            let ids = try stack.rows("select id from sessions order by created_at").compactMap { $0[0] }
            for (id, change) in zip(
                ids,
                [
                    "rotated_at = now() - interval '6 days 23 hours'", "rotated_at = now() - interval '7 days'",
                    "created_at = now() - interval '29 days 23 hours'", "created_at = now() - interval '30 days'",
                ])
            {
                _ = try stack.rows("update sessions set \(change) where id = '\(id)' returning id")
            }
            let listed = try stack.asUser("GET", "/api/sessions", token: holders[0].access)["data"]?.array
            #expect(Set(listed?.compactMap { $0["id"]?.string } ?? []) == [ids[0], ids[2]])
            let answers = try holders.enumerated().map { try stack.refresh($1.refresh, on: stack.replicas[$0 % 2]) }
            #expect(answers.map(\.status) == [200, 401, 200, 401])
            #expect((3_500...3_600).contains(answers[2]["refresh_expires_in"]?.integer ?? 0), "the nearer end counts")
            for index in [1, 3] { #expect(answers[index].problemCode == "session_revoked") }
        }
    }
}
