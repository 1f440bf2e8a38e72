import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

/// Access tokens: what is accepted, what is refused and why, and how fast a revoked session is over.
@Suite("A session token")
struct TokenTests {
    @Test("is refused when it is altered in any place, cut, padded or under another key")
    func altered() async throws {
        try await Stack.with { stack in
            let token = try stack.session().accessToken
            let client = try stack.server.client()
            func status(_ token: String) throws -> (Int, String?) {
                let answer = try client.request("GET", "/api/models", ["Authorization": "Bearer \(token)"])
                return (answer.status, answer.problemCode)
            }
            #expect(try status(token) == (200, nil))
            let characters = Array(token)
            for index in characters.indices {
                var altered = characters
                altered[index] = altered[index] == "A" ? "B" : "A"
                let answer = try status(String(altered))
                #expect(answer == (401, "token_invalid"), "character \(index)")
            }
            for length in stride(from: 1, to: token.count, by: 7) {
                #expect(try status(String(token.prefix(length))) == (401, "token_invalid"))
            }
            for altered in [token + "=", token + "A", token + token, "x" + token, token.replacing("pga_", with: "pgl_"), "é"] {
                #expect(try status(altered) == (401, "token_invalid"), "\(altered)")
            }
            #expect(try status(token) == (200, nil))
        }
    }

    @Test("ends with its time, with 30 s for clocks that differ; a stream that it began goes on")
    func expiry() async throws {
        try await Stack.with { stack in
            let session = try stack.session(secondsLeft: -28)
            let client = try stack.complete(
                "tokens=1000 interval=50", token: session.accessToken, parameters: #""max_tokens":2000"#)
            #expect(try client.readHead().status == 200, "two seconds of the leeway are left")
            try stack.expectRefused(session.accessToken, on: stack.server, code: "token_expired", within: .seconds(10))
            for _ in 0..<5 { #expect(try client.readEvent()?.data != nil) }
            client.close()
            let long = try Stack.token(user: session.user, session: session.id, secondsLeft: -31)
            let answer = try stack.asUser("GET", "/api/me", token: long)
            #expect(answer.problemCode == "token_expired")
            #expect(answer.head["www-authenticate"]?.contains("error=\"invalid_token\"") == true)
        }
    }

    @Test("counts in one Authorization field with Bearer, nowhere else")
    func placement() async throws {
        try await Stack.with { stack in
            let token = stack.token
            #expect(try stack.ask("GET", "/api/models?access_token=\(token)").problemCode == "token_missing")
            #expect(try stack.ask("GET", "/api/models?token=\(token)").status == 401)
            #expect(try stack.ask("GET", "/api/models", ["X-Auth-Token": token]).problemCode == "token_missing")
            for field in ["Basic \(token)", token, "Bearer", "Bearer ", "Token \(token)", "Bearer \(token), Bearer \(token)"] {
                let answer = try stack.ask("GET", "/api/models", ["Authorization": field])
                #expect(answer.status == 401, "\(field)")
                #expect(answer.head["www-authenticate"]?.hasPrefix("Bearer") == true)
            }
            for field in ["bearer \(token)", "BEARER \(token)", "Bearer  \(token)"] {
                #expect(try stack.ask("GET", "/api/models", ["Authorization": field]).status == 200, "\(field)")
            }
            let twice = try stack.ask(
                "GET", "/api/models", ["Authorization": "Bearer \(token)", "authorization": "Bearer \(token)"])
            #expect(twice.status == 400)
            #expect(twice.problemCode == "invalid_header")
        }
    }

    @Test("of a load test is refused where load tests are not allowed")
    func loadTokens() async throws {
        try await Stack.with { stack in
            let strict = try stack.startReplica(["ALLOW_LOAD_TOKENS": "0"])
            #expect(try stack.asUser("GET", "/api/me").status == 200)
            #expect(try stack.asUser("GET", "/api/me", on: strict).problemCode == "token_invalid")
        }
    }

    @Test("is good under every key of the ring, and dead under a key that was taken out")
    func keyRotation() async throws {
        try await Stack.with { stack in
            let fresh = "next:bmV4dC1zZXNzaW9uLWtleS1uZXh0LXNlc3Npb24ta2V5ISE="
            let both = try stack.startReplica(["SESSION_KEYS": "\(fresh),\(Stack.sessionKeys)"])
            let after = try stack.startReplica(["SESSION_KEYS": fresh])
            let token = try stack.session().accessToken
            #expect(try stack.asUser("GET", "/api/me", token: token, on: both).status == 200)
            #expect(try stack.asUser("GET", "/api/me", token: token, on: after).problemCode == "token_invalid")
        }
    }

    @Test("of an ended session is refused on every replica within a second, and the session's streams end")
    func revocation() async throws {
        try await Stack.with(replicas: 2) { stack in
            let session = try stack.session()
            let other = try stack.session()
            let parameters = #""max_tokens":2000"#
            let running = try stack.replicas.map { replica in
                let client = try stack.complete(
                    "id=revoked tokens=1000 interval=50", on: replica, token: session.accessToken, parameters: parameters)
                _ = try client.readHead()
                return client
            }
            let spared = try stack.complete("id=spared tokens=60 interval=50", token: other.accessToken, parameters: parameters)
            _ = try spared.readHead()
            let begun = ContinuousClock.now
            #expect(try stack.ask("POST", "/api/auth/logout", ["Authorization": "Bearer \(session.accessToken)"]).status == 204)
            for replica in stack.replicas {
                try stack.expectRefused(session.accessToken, on: replica, code: "session_revoked", within: .seconds(1))
            }
            for client in running {
                let last = try #require(try client.readEvents().last)
                #expect(last.event == "error")
                #expect(try JSONValue(parsing: last.data ?? "")["code"]?.string == "session_revoked")
            }
            #expect(ContinuousClock.now - begun < .seconds(5))
            for record in try stack.upstreamRecords("revoked") { #expect(record["ended"]?.string != "completed") }
            #expect(try spared.readEvents().last?.data == "[DONE]")
            #expect(
                try stack.asUser("POST", "/api/complete", #"{"prompt":"x"}"#, token: session.accessToken).problemCode
                    == "session_revoked")
            try stack.expectAllSettled()
        }
    }
}
