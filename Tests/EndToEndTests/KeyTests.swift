import Foundation
import Postgres
import StrictJSON
import TestSupport
import Testing

/// Programs with keys of their own, over real processes.
@Suite("API keys over the network")
struct KeyTests {
    @Test("a key does what its scopes say on every replica, nothing else, and is told which scope it lacks")
    func scopes() async throws {
        try await Stack.with(replicas: 2) { stack in
            let routes: [(String, String, String?, Set<String>)] = [
                ("GET", "/api/me", nil, ["complete", "presets", "usage:read"]),
                ("GET", "/api/models", nil, ["complete", "presets", "usage:read"]),
                ("GET", "/api/limits", nil, ["complete", "presets", "usage:read"]),
                ("GET", "/api/presets", nil, ["presets"]), ("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#, ["presets"]),
                ("POST", "/api/complete", #"{"prompt":"[[tokens=1]]","max_tokens":5}"#, ["complete"]),
                ("GET", "/api/usage", nil, ["usage:read"]),
                ("GET", "/api/keys", nil, []), ("POST", "/api/keys", #"{"name":"n","scopes":["complete"]}"#, []),
            ]
            for scope in ["complete", "presets", "usage:read"] {
                let key = try stack.key([scope])
                for (index, (method, path, body, allowed)) in routes.enumerated() {
                    let answer = try stack.asUser(method, path, body, token: key.text, on: stack.replicas[index % 2])
                    if allowed.contains(scope) {
                        #expect((200..<300).contains(answer.status), "\(scope): \(method) \(path)")
                    } else {
                        #expect(answer.status == 403 && answer.problemCode == "insufficient_scope", "\(scope): \(method) \(path)")
                        #expect(answer["scope"]?.string == allowed.first)
                        let challenge = allowed.first.map { #"Bearer error="insufficient_scope", scope="\#($0)""# }
                        #expect(answer.head["www-authenticate"] == challenge ?? #"Bearer error="insufficient_scope""#)
                    }
                }
            }
            let key = try stack.key(["complete"])
            let preset = try stack.preset()
            let refused = try stack.asUser("POST", "/api/complete", #"{"preset_id":"\#(preset)"}"#, token: key.text)
            #expect(refused.problemCode == "insufficient_scope" && refused["scope"]?.string == "presets")
        }
    }

    @Test("a key comes in the Authorization field alone: not in a cookie, not in an address; and a wrong one is told nothing")
    func places() async throws {
        try await Stack.with { stack in
            let key = try stack.key(["presets"])
            #expect(try stack.ask("GET", "/api/me", ["Authorization": "bearer \(key.text)"]).status == 200)
            let cookie = try stack.ask("GET", "/api/me", ["Cookie": "__Host-playground-access=\(key.text)"])
            #expect(cookie.status == 401 && cookie.problemCode == "token_invalid")
            for name in ["key", "api_key", "access_token", "token"] {
                let answer = try stack.ask("GET", "/api/me?\(name)=\(key.text)")
                #expect(answer.status == 401 && answer.problemCode == "token_missing")
            }
            #expect(try stack.ask("GET", "/api/me", ["Authorization": "Basic \(key.text)"]).status == 401)
            var flipped = Array(key.text.utf8)
            flipped[40] = flipped[40] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
            for wrong in ["pgk_", "pgk_x", key.text + "0", String(decoding: flipped, as: UTF8.self)] {
                let answer = try stack.asUser("GET", "/api/me", token: wrong)
                #expect(answer.status == 401 && answer.problemCode == "token_invalid")
                #expect(answer.head["www-authenticate"]?.contains("invalid_token") == true)
            }
            #expect(try stack.asUser("POST", "/api/auth/logout", "{}", token: key.text).status == 204)
            #expect(try stack.asUser("GET", "/api/me", token: key.text).status == 200, "logging out ends sessions")
            // Its log lines, its rows and the addresses' answers show nothing of it.
            let dump = try stack.rows("select k::text from api_keys k union all select a::text from audit_events a").joined()
            let log = stack.server.process.lines.joined(separator: "\n")
            #expect(!log.contains(key.text.dropFirst(26)) && !dump.contains { $0?.contains(key.text.dropFirst(26)) == true })
        }
    }

    @Test("a key that is revoked while a completion of it is being admitted ends that completion before it begins")
    func revokedWhileAdmitted() async throws {
        try await Stack.with(replicas: 2) { stack in
            #expect(try stack.completed("tokens=1").status == 200)
            let holder = try BlockingConnection(PostgresConfiguration(stack.database))
            // Where the machine has much to do, an admission gives up before the row is free: then once more.
            for _ in 0..<10 {
                let key = try stack.key(["complete"])
                try holder.run("begin; select from buckets for update")
                let client = try stack.complete("id=late tokens=10000 interval=20", token: key.text, parameters: StopTests.long)
                try stack.expect(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
                    becomes: "1")
                // By the other replica: what this one asks the database waits behind the admission. It hears of it all the same, and
                // needs no database to refuse a route that the key is not good for.
                #expect(try stack.asUser("DELETE", "/api/keys/\(key.id)", on: stack.replicas[1]).status == 204)
                _ = try stack.wait("the end of the key", within: .seconds(1)) {
                    try stack.asUser("GET", "/api/presets", token: key.text).problemCode == "token_invalid" ? true : nil
                }
                try holder.run("commit")
                let response = try client.readResponse()
                if response.status == 503 { continue }
                #expect(response.status == 401 && response.problemCode == "session_revoked")
                #expect(try stack.upstreamRecords("late").isEmpty, "nobody was asked")
                return try stack.expectAllSettled()
            }
            Issue.record("no admission was in time")
        }
    }

    @Test("a revoked key is refused everywhere within a second and its streams end within five, also where nobody hears of it")
    func revoking() async throws {
        try await Stack.with(replicas: 2) { stack in
            for isDeaf in [false, true] {
                let key = try stack.key(["complete"])
                for replica in stack.replicas {
                    #expect(try stack.asUser("GET", "/api/me", token: key.text, on: replica).status == 200)
                }
                let stream = try stack.complete(
                    "tokens=10000 interval=20", on: stack.replicas[1], token: key.text, parameters: #""max_tokens":20000"#)
                _ = try stream.readHead()
                #expect(try stream.readEvent() != nil)
                if isDeaf {
                    // The row goes without a word: only the poll can find out.
                    _ = try stack.rows(
                        """
                        alter table api_keys disable trigger api_keys_deleted; delete from api_keys where id = '\(key.id)';
                        insert into ended_keys (key_id, user_id) select '\(key.id)', id from users limit 1;
                        alter table api_keys enable trigger api_keys_deleted;
                        """)
                } else {
                    #expect(try stack.asUser("DELETE", "/api/keys/\(key.id)").status == 204)
                    #expect(try stack.asUser("DELETE", "/api/keys/\(key.id)").status == 404)
                }
                for replica in stack.replicas {
                    _ = try stack.wait("the end of the key", within: .seconds(1)) {
                        try stack.asUser("GET", "/api/me", token: key.text, on: replica).problemCode == "token_invalid"
                            ? true : nil
                    }
                }
                let begun = ContinuousClock.now
                var last: String?
                while let event = try stream.readEvent() { last = event.data }
                #expect(ContinuousClock.now - begun < .seconds(5))
                #expect(last?.contains("session_revoked") == true)
            }
        }
    }

    @Test("a key's own limit counts over all replicas and leaves the owner's alone; what the plan refuses it gets back")
    func limit() async throws {
        try await Stack.with(replicas: 2, environment: ["MAX_CONCURRENT_STREAMS": "1"]) { stack in
            let key = try stack.key(["complete"], #","requests_per_minute":3"#)
            var statuses: [Int] = []
            for number in 0..<6 {
                let answer = try stack.completed("tokens=1", stream: false, on: stack.replicas[number % 2], token: key.text)
                statuses.append(answer.status)
                // The slot is free when the bill is written, which is a moment after the answer: the other replica may be earlier.
                try stack.expectAllSettled()
                guard answer.status == 429 else { continue }
                #expect(answer.problemCode == "rate_limit_exceeded")
                #expect((1...20_000).contains(answer["retry_after_ms"]?.integer ?? 0))
                #expect(answer.head["x-ratelimit-limit-requests"] == "3" && answer.head["x-ratelimit-remaining-requests"] == "0")
            }
            #expect(statuses == [200, 200, 200, 429, 429, 429])
            #expect(try stack.completed("tokens=1", stream: false).status == 200)
            try stack.expectAllSettled()

            let other = try stack.key(["complete"], #","requests_per_minute":1"#)
            let running = try stack.complete("tokens=10000 interval=20", parameters: #""max_tokens":20000"#)
            _ = try running.readHead()
            let refused = try stack.completed("tokens=1", stream: false, token: other.text)
            #expect(refused.status == 429 && refused.problemCode == "concurrency_limit")
            running.reset()
            try stack.expectAllSettled()
            #expect(try stack.completed("tokens=1", stream: false, token: other.text).status == 200)
            #expect(try stack.completed("tokens=1", stream: false, token: other.text).problemCode == "rate_limit_exceeded")
        }
    }
}

extension Stack {
    /// A key of the first user, or another.
    func key(_ scopes: [String], _ more: String = "", token: String? = nil) throws -> (id: String, text: String) {
        let list = scopes.map { "\"\($0)\"" }.joined(separator: ",")
        let answer = try server.client().request(
            "POST", "/api/keys", fields(token), body: #"{"name":"test","scopes":[\#(list)]\#(more)}"#)
        guard answer.status == 201, let id = answer["id"]?.string, let text = answer["key"]?.string else {
            throw TestFailure("no key: \(answer.text)")
        }
        return (id, text)
    }
}
