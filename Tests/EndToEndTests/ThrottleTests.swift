import Foundation
import StrictJSON
import TestSupport
import Testing

/// Guessing passwords through a proxy that says where each guess comes from. Every guess that is looked at costs half a second
/// of hashing: where many are needed, all but a few are written into the database as if they had been made.
@Suite("Guessing passwords")
struct ThrottleTests {
    private static let password = "correct horse battery staple"
    private static let environment = ["TRUSTED_PROXIES": "127.0.0.1"]

    @Test("from many networks does not keep the owner out, who comes from where they have been before, on any replica")
    func lockOut() async throws {
        try await Stack.with(replicas: 2, users: 0, environment: Self.environment) { stack in
            #expect(try stack.post("register", "ann", Self.password, from: "192.0.2.1").status == 202)
            #expect(try stack.post("login", "ann", Self.password, from: "192.0.2.1").status == 200)

            #expect(try stack.post("login", "ann", "wrong password", from: "198.51.100.1").status == 401)
            try stack.repeatAttempts("login_account", 98)
            #expect(try stack.post("login", "ann", "wrong password", from: "2001:db8::1", on: 1).status == 401)
            for (replica, guess) in [(0, "wrong password"), (1, "wrong password"), (0, Self.password), (1, Self.password)] {
                let refused = try stack.post("login", "ann", guess, from: "203.0.113.\(replica + 1)", on: replica)
                #expect(refused.status == 429)
                #expect(refused.problemCode == "too_many_attempts")
                let wait = try #require(refused.head["retry-after-ms"].flatMap { Int($0) })
                #expect((3_000_000...3_600_000).contains(wait))
            }

            #expect(try stack.post("login", "ann", Self.password, from: "192.0.2.1").status == 200)
            #expect(try stack.post("login", "ann", Self.password, from: "192.0.2.77", on: 1).status == 200)
            #expect(try stack.post("login", "ann", Self.password, from: "203.0.113.1").status == 429, "strangers still wait")
            let readable = try stack.rows("select t::text from login_networks t union all select t::text from attempt_windows t")
            #expect(!readable.joined().contains { $0?.contains("@example.com") == true })
        }
    }

    @Test("is answered alike whether or not there is an account, to the byte; who waits as long as told is let in")
    func unknownAccounts() async throws {
        try await Stack.with(replicas: 2, users: 0, environment: Self.environment) { stack in
            #expect(try stack.post("register", "ann", Self.password, from: "192.0.2.1").status == 202)
            var answers: [String: [String]] = [:]
            var last: [String: RawClient.Response] = [:]
            for name in ["ann", "bob"] {
                for attempt in 1...8 {
                    // All wrong, but for the last: it is not looked at.
                    let guess = attempt == 8 ? Self.password : "wrong password"
                    let answer = try stack.post("login", name, guess, from: "192.0.2.1", on: attempt % 2)
                    last[name] = answer
                    #expect(answer.status == (attempt <= 5 ? 401 : 429), "\(name) \(attempt)")
                    answers[name, default: []].append(answer.withoutMoment)
                    // What is prolonged by a slow machine must not let the sixth attempt in.
                    if attempt == 5 { try stack.prolong() }
                }
            }
            #expect(answers["ann"] == answers["bob"])

            let told = try #require(last["bob"])
            let milliseconds = try #require(told["retry_after_ms"]?.integer)
            #expect(told.head["retry-after-ms"] == "\(milliseconds)")
            #expect(told.head["retry-after"] == "\((milliseconds + 999) / 1000)")
            #expect(told["retryable"]?.bool == true)
            // The time that was told passes for the row, instead of for the test.
            try stack.pass(milliseconds: milliseconds)
            #expect(try stack.post("login", "ann", Self.password, from: "192.0.2.1").status == 200)
            #expect(try stack.post("login", "bob", Self.password, from: "192.0.2.1").status == 401)
        }
    }

    @Test("or registering from one address is refused after 30 attempts in five minutes, on every replica, and nowhere else")
    func addresses() async throws {
        try await Stack.with(replicas: 2, users: 0, environment: Self.environment) { stack in
            #expect(try stack.post("login", "bob", "wrong password", from: "192.0.2.1").status == 401)
            try stack.repeatAttempts("login_address", 28)
            #expect(try stack.post("login", "cid", "wrong password", from: "192.0.2.1", on: 1).status == 401)
            for replica in 0..<2 {
                let refused = try stack.post("login", "dot", "wrong password", from: "192.0.2.1", on: replica)
                #expect(refused.problemCode == "too_many_attempts")
                let wait = try #require(refused.head["retry-after-ms"].flatMap { Int($0) })
                #expect((200_000...300_000).contains(wait))
            }
            #expect(try stack.post("login", "dot", "wrong password", from: "192.0.2.2").status == 401)

            #expect(try stack.post("register", "ann", Self.password, from: "192.0.2.1").status == 202)
            for _ in 0..<3 {
                #expect(
                    try stack.post("register", "ann", "short", from: "192.0.2.1").status == 400, "costs nothing, counts nothing")
            }
            try stack.repeatAttempts("registration_address", 28)
            #expect(try stack.post("register", "ann", Self.password, from: "192.0.2.1", on: 1).status == 202)
            for name in ["ann", "eve"] {
                let refused = try stack.post("register", name, Self.password, from: "192.0.2.1", on: 1)
                #expect(refused.problemCode == "too_many_attempts")
            }
            #expect(try stack.post("register", "eve", Self.password, from: "192.0.2.3").status == 202)
            #expect(try stack.row("select count(*) from users") == ["2"])
        }
    }

    @Test("cannot be hidden behind a header that no trusted proxy wrote")
    func forgedOrigin() async throws {
        try await Stack.with(users: 0) { stack in
            #expect(try stack.post("login", "bob", "wrong password", from: "198.51.100.1").status == 401)
            try stack.repeatAttempts("login_address", 29)
            #expect(try stack.post("login", "cid", "wrong password", from: "198.51.100.2").status == 429)
        }
    }
}

extension Stack {
    /// Logs in or registers as NAME@example.com; the proxy says that the request comes from `address`.
    fileprivate func post(
        _ route: String, _ name: String, _ password: String, from address: String, on replica: Int = 0
    ) throws -> RawClient.Response {
        try ask(
            "POST", "/api/auth/\(route)", ["Content-Type": "application/json", "X-Forwarded-For": address],
            body: #"{"email":"\#(name)@example.com","password":"\#(password)"}"#, on: replicas[replica])
    }

    /// Makes the attempts that one limit has counted so many more, all at the time of the first.
    fileprivate func repeatAttempts(_ scope: String, _ count: Int) throws {
        let changed = try rows(
            """
            update attempt_windows set instants = array_fill(instants[1], array[\(count)]) || instants
            where scope = '\(scope)' returning 1
            """)
        guard changed.count == 1 else { throw TestFailure("\(changed.count) rows of \(scope)") }
    }

    /// The delay after the last failure of every account begins only in a minute.
    fileprivate func prolong() throws { _ = try rows("update login_networks set tried_at = now() + interval '1 minute'") }

    /// Time passes for the delays.
    fileprivate func pass(milliseconds: Int) throws {
        _ = try rows("update login_networks set tried_at = tried_at - interval '1 millisecond' * \(milliseconds)")
    }
}

extension RawClient.Response {
    /// Everything that was answered, but for what differs from one moment to the next: the request's id, the date, and how much
    /// of a wait is left.
    fileprivate var withoutMoment: String {
        let fields = head.fields.map { name, value in
            ["x-request-id", "date", "retry-after", "retry-after-ms"].contains(name.lowercased()) ? name : "\(name): \(value)"
        }
        return ([head.statusLine] + fields + [withoutRequestID.replacing(/"retry_after_ms":\d+/, with: "WAIT")])
            .joined(separator: "\n")
    }
}
