import Foundation
import Postgres
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Whoever sends a request again under its key creates nothing again, and learns what was answered.
@Suite("Sent again with the same Idempotency-Key")
struct IdempotencyTests {
    static let body = #"{"name":"n","prompt":"Märchen\n","params":{"temperature":0.70}}"#

    @Test("a preset is saved once, however many come at one moment to whichever replica, and all get the same answer in the end")
    func twins() async throws {
        try await Stack.with(replicas: 2) { stack in
            let created = Mutex<Set<[UInt8]>>([])
            for _ in 0..<2 {
                try concurrently(100) { index in
                    let answer = try stack.savePreset("twins", on: stack.replicas[index % 2])
                    if answer.status == 409 {
                        #expect(answer.problemCode == "idempotency_key_in_use" && answer["retryable"]?.bool == true)
                        #expect(answer.head["retry-after"] == "1" && answer["retry_after_ms"]?.integer == 1000)
                    } else {
                        #expect(answer.status == 201)
                        created.withLock { _ = $0.insert(answer.body) }
                    }
                }
            }
            #expect(created.withLock { $0.count } == 1)
            #expect(try stack.rows("select count(*) from presets") == [["1"]])
            #expect(try stack.rows("select preset_count from users") == [["1"]])
            for replica in stack.replicas { #expect(try stack.savePreset("twins", on: replica).status == 201) }
        }
    }

    @Test("the answer is the first one to the byte, says that it is, and knows nothing of what was changed or deleted meanwhile")
    func replay() async throws {
        try await Stack.with(replicas: 2) { stack in
            let first = try stack.savePreset("replay")
            #expect(first.status == 201 && first.head["idempotency-replayed"] == nil)
            let path = try #require(first.head["location"])
            func expectReplay() throws {
                for replica in stack.replicas {
                    let again = try stack.savePreset("replay", on: replica)
                    #expect(again.status == 201 && again.body == first.body)
                    #expect(again.head["idempotency-replayed"] == "true")
                    for name in ["etag", "location", "content-type"] { #expect(again.head[name] == first.head[name], "\(name)") }
                    #expect(again.head["x-request-id"] != first.head["x-request-id"])
                    #expect(Set(again.head.fields.map(\.name)).count == again.head.fields.count)
                }
            }
            try expectReplay()
            #expect(try stack.asUser("PATCH", path, #"{"name":"other","version":1}"#).status == 200)
            try expectReplay()
            #expect(try stack.asUser("GET", path)["name"]?.string == "other")
            #expect(try stack.asUser("DELETE", path).status == 204)
            try expectReplay()
            #expect(try stack.rows("select count(*) from presets") == [["0"]])
            // Without a key every request is one of its own.
            for count in 1...2 {
                _ = try stack.preset()
                #expect(try stack.rows("select count(*) from presets") == [["\(count)"]])
            }
        }
    }

    @Test("another body is refused, and another user's same key is a key of its own")
    func othersKeys() async throws {
        try await Stack.with(users: 2) { stack in
            let first = try stack.savePreset("key")
            for other in [Self.body + " ", #"{"name":"n","prompt":"p"}"#, "{}"] {
                let answer = try stack.savePreset("key", other)
                #expect(answer.status == 422 && answer.problemCode == "idempotency_key_reused")
                #expect(answer["retryable"]?.bool == false)
            }
            let theirs = try stack.savePreset("key", #"{"name":"theirs","prompt":"p"}"#, token: stack.tokens[1])
            #expect(theirs.status == 201 && theirs.head["idempotency-replayed"] == nil)
            #expect(try stack.savePreset("key").body == first.body)
            #expect(try stack.rows("select owner_id, count(*) from presets group by 1").count == 2)
        }
    }

    @Test("a request that was refused may be mended: its key is still free")
    func refused() async throws {
        try await Stack.with { stack in
            for (body, status) in [("{}", 400), ("{", 400), (#"{"name":"","prompt":"p"}"#, 400)] {
                for _ in 0..<2 {
                    let answer = try stack.savePreset("mended", body)
                    #expect(answer.status == status && answer.head["idempotency-replayed"] == nil)
                }
            }
            let type = ["Content-Type": "text/plain", "Idempotency-Key": "mended"]
            #expect(try stack.asUser("POST", "/api/presets", Self.body, fields: type).status == 415)
            _ = try stack.rows("update users set preset_count = 1000")
            for _ in 0..<2 { #expect(try stack.savePreset("mended").problemCode == "preset_limit_reached") }
            #expect(try stack.rows("select count(*) from idempotency_keys") == [["0"]])
            _ = try stack.rows("update users set preset_count = 0")
            #expect(try stack.savePreset("mended").status == 201)
        }
    }

    @Test("a key is 1 to 255 visible ASCII characters and stands once")
    func badKeys() async throws {
        try await Stack.with { stack in
            for key in ["", "a b", "é", String(repeating: "k", count: 256)] {
                let answer = try stack.savePreset(key)
                #expect(answer.status == 400 && answer.problemCode == "invalid_header", "'\(key)'")
            }
            let client = try stack.server.client()
            try client.send(
                "POST /api/presets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(stack.token)\r\n"
                    + "Content-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n"
                    + "Content-Length: \(Self.body.utf8.count)\r\n\r\n\(Self.body)")
            #expect(try client.readResponse().problemCode == "invalid_header")
            #expect(try stack.savePreset(String(repeating: "~", count: 255)).status == 201)
            #expect(try stack.rows("select count(*) from presets") == [["1"]])
        }
    }

    @Test(
        "a replica killed between saving and answering has saved once: another one finds the preset and answers as it was created"
    )
    func killedAfterSaving() async throws {
        try await Stack.with(replicas: 2) { stack in
            let client = try stack.server.client()
            func save(_ key: String) throws {
                try client.sendRequest(
                    "POST", "/api/presets", stack.fields().merging(["Idempotency-Key": key]) { $1 }, body: Self.body)
            }
            // The server's connection knows the statement from now on. To be taught it, it would wait for the same lock, when the
            // statement itself may not have been sent.
            try save("before")
            #expect(try client.readResponse().status == 201)
            let before = try #require(stack.row("select id from presets")[0])
            #expect(try stack.asUser("DELETE", "/api/presets/\(before)").status == 204)
            let holder = try BlockingConnection(PostgresConfiguration(stack.database))
            try holder.run("begin; lock table presets in share mode")
            try save("killed")
            try stack.expect(
                "select count(*) from pg_locks where relation = 'presets'::regclass and not granted", becomes: "1")
            try stack.server.process.kill()
            // What was sent is still carried out, and there is nobody to be told.
            try holder.run("rollback")
            try stack.expect("select count(*) from presets", becomes: "1")
            let survivor = stack.replicas[1]
            #expect(try stack.savePreset("killed", on: survivor).problemCode == "idempotency_key_in_use")
            let saved = try #require(stack.row("select id from presets")[0])
            let created = try stack.asUser("GET", "/api/presets/\(saved)", on: survivor)
            #expect(try stack.asUser("PATCH", "/api/presets/\(saved)", #"{"name":"x","version":1}"#, on: survivor).status == 200)
            _ = try stack.rows("update idempotency_keys set lease_ends_at = now()")
            for isReplay in [false, true] {
                let answer = try stack.savePreset("killed", on: survivor)
                #expect(answer.status == 201 && answer.body == created.body)
                #expect(answer.head["location"] == "/api/presets/\(saved)" && answer.head["etag"] == "\"1\"")
                #expect((answer.head["idempotency-replayed"] == "true") == isReplay)
            }
            #expect(try stack.rows("select count(*), max(version) from presets") == [["1", "2"]])
            #expect(try stack.rows("select preset_count from users") == [["1"]])
        }
    }

    @Test("a replica killed between the claim and saving has saved nothing: another one saves, when the lease is over")
    func killedBeforeSaving() async throws {
        try await Stack.with { stack in
            let id = "019f5d3c-0b7e-7c2a-9a41-6f2f0f6b1c55"
            _ = try stack.rows(
                """
                insert into idempotency_keys (user_id, route, key, body_hash, resource_id, attempt_id, lease_ends_at)
                select id, 'POST /api/presets', 'killed', sha256(convert_to('\(Self.body)', 'UTF8')),
                    '\(id)', '\(id)', now() + interval '30 s' from users
                """)
            #expect(try stack.savePreset("killed").problemCode == "idempotency_key_in_use")
            #expect(try stack.savePreset("killed", "{}").problemCode == "idempotency_key_reused")
            _ = try stack.rows("update idempotency_keys set lease_ends_at = now() - interval '1 ms'")
            let created = try stack.savePreset("killed")
            #expect(created.status == 201 && created["id"]?.string == id)
            #expect(try stack.savePreset("killed").body == created.body)
            #expect(try stack.rows("select id from presets") == [[id]])
        }
    }

    @Test("a failure of the server's own that waiting does not mend is an answer: it is given again, also when the cause is gone")
    func finalFailure() async throws {
        try await Stack.with { stack in
            try stack.failPresets("raise exception 'planted'")
            let first = try stack.savePreset("failed")
            #expect(first.status == 500 && first.problemCode == "internal")
            _ = try stack.rows("drop trigger planted on presets")
            let again = try stack.savePreset("failed")
            #expect(again.status == 500 && again.body == first.body && again.head["idempotency-replayed"] == "true")
            #expect(again.head["content-type"] == first.head["content-type"])
            #expect(try stack.savePreset("failed", "{}").problemCode == "idempotency_key_reused")
            #expect(try stack.savePreset("another").status == 201)
        }
    }

    @Test("a failure that may pass is no answer: the request is tried again at once, under the same id")
    func passingFailure() async throws {
        try await Stack.with { stack in
            for (index, failure) in [
                "raise exception 'planted' using errcode = '53300'", "perform pg_terminate_backend(pg_backend_pid())",
            ].enumerated() {
                try stack.failPresets(failure)
                let failed = try stack.savePreset("passing-\(index)")
                #expect(failed.status == 503 && failed.problemCode == "database_unavailable")
                #expect(failed["retryable"]?.bool == true, "the key makes repeating safe: \(failure)")
                _ = try stack.rows("drop trigger planted on presets")
                let saved = try stack.wait("the preset to be saved") {
                    let answer = try stack.savePreset("passing-\(index)")
                    return answer.status == 201 ? answer : nil
                }
                #expect(saved.head["idempotency-replayed"] == nil)
                #expect(try stack.rows("select count(*) from presets") == [["\(index + 1)"]])
            }
        }
    }

    @Test("a failure that nobody knows the outcome of is cleared up by repeating: there is one preset")
    func unknownOutcome() async throws {
        try await Stack.with { stack in
            let holder = try BlockingConnection(PostgresConfiguration(stack.database))
            try holder.run("begin; lock table presets in share mode")
            let late = try stack.savePreset("late")
            #expect(late.status == 503 && late["retryable"]?.bool == true)
            try holder.run("rollback")
            let saved = try stack.wait("the preset to be saved", within: .seconds(40)) {
                let answer = try stack.savePreset("late")
                return answer.status == 201 ? answer : nil
            }
            #expect(try stack.rows("select id from presets") == [[saved["id"]?.string]])
        }
    }

    @Test("a completion runs once: the second request is told which completion it is, and its owner may ask after it")
    func completions() async throws {
        try await Stack.with(replicas: 2, users: 2) { stack in
            let body = #"{"prompt":"[[id=once tokens=3]] \#(Stack.promptMark)","max_tokens":5}"#
            func complete(
                _ fields: [String: String] = ["Idempotency-Key": "once"], token: String? = nil, on replica: Int = 0
            ) throws -> RawClient.Response {
                try stack.asUser("POST", "/api/complete", body, fields: fields, token: token, on: stack.replicas[replica])
            }
            let first = try complete()
            #expect(first.status == 200)
            let id = try #require(first.head["x-completion-id"])
            for replica in 0...1 {
                let again = try complete(on: replica)
                #expect(again.status == 409 && again.problemCode == "completion_id_conflict")
                #expect(again.head["x-completion-id"] == id)
            }
            #expect(try stack.asUser("GET", "/api/complete/\(id)", on: stack.replicas[1])["status"]?.string == "done")
            #expect(try stack.upstreamRecords("once").count == 1)
            let theirs = try complete(token: stack.tokens[1])
            #expect(theirs.status == 200 && theirs.head["x-completion-id"] != id)
            let own = "0190b5a0-0000-7000-8000-0000000000c1"
            let named = try complete(["Idempotency-Key": "once", "Completion-Id": own])
            #expect(named.status == 200 && named.head["x-completion-id"] == own)
            #expect(try complete(["Idempotency-Key": "a b"]).problemCode == "invalid_header")
            try stack.expectAllSettled()
            #expect(try stack.rows("select count(*) from usage") == [["3"]])
        }
    }
}

extension Stack {
    /// Saves a preset of the first user, or another, under a key.
    fileprivate func savePreset(
        _ key: String, _ body: String = IdempotencyTests.body, token: String? = nil, on replica: Replica? = nil
    ) throws -> RawClient.Response {
        try asUser("POST", "/api/presets", body, fields: ["Idempotency-Key": key], token: token, on: replica)
    }

    /// Makes the database do this where a preset is to be saved.
    fileprivate func failPresets(_ statement: String) throws {
        _ = try rows(
            """
            create or replace function planted() returns trigger language plpgsql security definer
                as $$ begin \(statement); return new; end $$;
            create trigger planted before insert on presets for each row execute function planted()
            """)
    }
}
