import Foundation
import StrictJSON
import TestSupport
import Testing

/// Presets: kept as they were saved, paged, never overwritten silently.
@Suite("Presets")
struct PresetTests {
    static let params = #"{"model":"gpt-3.5-turbo-instruct","max_tokens":100,"temperature":0.70,"stop":["a"],"seed":-5}"#

    @Test("come back as they were saved, numbers to the letter")
    func roundTrip() async throws {
        try await Stack.with { stack in
            let body = #"{"name":"A name","prompt":"A prompt\n","params":\#(Self.params)}"#
            let created = try stack.asUser("POST", "/api/presets", body)
            #expect(created.status == 201)
            let id = try #require(created["id"]?.string)
            #expect(created.head["location"] == "/api/presets/\(id)")
            #expect(created.head["etag"] == "\"1\"")
            #expect(created["version"]?.integer == 1)
            #expect(created["created_at"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/) != nil)
            #expect(created["params"] == (try JSONValue(parsing: Self.params)))
            let read = try stack.asUser("GET", "/api/presets/\(id)")
            #expect(read.status == 200)
            #expect(read.text == created.text)
            #expect(read.head["etag"] == "\"1\"")
            let upper = try stack.asUser("GET", "/api/presets/\(id.uppercased())")
            #expect(upper.text == created.text)
            // What was read may be sent back: read-only fields mean nothing.
            let replaced = try stack.asUser("PUT", "/api/presets/\(id)", read.text)
            #expect(replaced.status == 200)
            #expect(replaced["version"]?.integer == 2)
            #expect(replaced["created_at"] == created["created_at"])
            let bare = try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"","params":null}"#)
            #expect(bare.status == 201)
            #expect(bare["params"]?.object?.isEmpty == true)
        }
    }

    @Test("change only for who has seen the newest version, named in the body or in If-Match")
    func versions() async throws {
        try await Stack.with { stack in
            let id = try stack.preset()
            let path = "/api/presets/\(id)"
            let whole = #""name":"new","prompt":"p","params":{}"#
            for (method, body) in [("PUT", whole), ("PATCH", #""name":"new""#)] {
                let none = try stack.asUser(method, path, "{\(body)}")
                #expect(none.status == 428)
                #expect(none.problemCode == "version_required")
                let version = try #require(try stack.asUser("GET", path)["version"]?.integer)
                for stale in [version - 1, version + 1] where stale > 0 {
                    #expect(try stack.asUser(method, path, "{\(body),\"version\":\(stale)}").problemCode == "version_conflict")
                    let answer = try stack.asUser(method, path, "{\(body)}", fields: ["If-Match": "\"\(stale)\""])
                    #expect(answer.status == 412)
                }
                let differing = try stack.asUser(method, path, "{\(body),\"version\":\(version)}", fields: ["If-Match": "\"9\""])
                #expect(differing.status == 412)
                let first = try stack.asUser(method, path, "{\(body),\"version\":\(version)}")
                #expect(first.status == 200)
                #expect(first.head["etag"] == "\"\(version + 1)\"")
                let second = try stack.asUser(method, path, "{\(body)}", fields: ["If-Match": "\"\(version + 1)\""])
                #expect(second.status == 200)
                #expect(second["version"]?.integer == version + 2)
                for malformed in ["*", "1", "W/\"1\"", "\"x\"", "\"\"", "\"99999999999999999999\"", "\"1\", \"2\""] {
                    let answer = try stack.asUser(method, path, "{\(body)}", fields: ["If-Match": malformed])
                    #expect(answer.status == 400 || answer.status == 412, "If-Match: \(malformed)")
                }
            }
            let stale = try stack.asUser("DELETE", path, fields: ["If-Match": "\"1\""])
            #expect(stale.status == 412)
            #expect(try stack.asUser("GET", path).status == 200)
            let version = try #require(try stack.asUser("GET", path).head["etag"])
            #expect(try stack.asUser("DELETE", path, fields: ["If-Match": version]).status == 204)
            #expect(try stack.asUser("GET", path).status == 404)
            #expect(try stack.asUser("DELETE", path).status == 404)
        }
    }

    @Test("are never overwritten silently: of many who change one version, one succeeds")
    func race() async throws {
        try await Stack.with(replicas: 2) { stack in
            let path = "/api/presets/\(try stack.preset())"
            try concurrently(10) { index in
                let answer = try stack.asUser(
                    "PATCH", path, #"{"prompt":"by \#(index)","version":1}"#, on: stack.replicas[index % 2])
                #expect([200, 412].contains(answer.status))
            }
            #expect(try stack.asUser("GET", path)["version"]?.integer == 2)
        }
    }

    @Test("can be saved under an id of the client's own, once")
    func ownID() async throws {
        try await Stack.with(users: 2) { stack in
            let path = "/api/presets/6ba7b810-9dad-41d1-80b4-00c04fd430c8"
            let body = #"{"name":"offline","prompt":"p","params":{}}"#
            let created = try stack.asUser("PUT", path, body, fields: ["If-None-Match": "*"])
            #expect(created.status == 201)
            #expect(created.head["location"] == path)
            let again = try stack.asUser("PUT", path, body, fields: ["If-None-Match": "*"])
            #expect(again.status == 412)
            #expect(again.problemCode == "version_conflict")
            let other = try stack.asUser("PUT", path, body, fields: ["If-None-Match": "*"], token: stack.tokens[1])
            #expect(other.status == 201, "ids are the owner's own: another user's are no obstacle")
            #expect(try stack.asUser("PUT", path, body, fields: ["If-None-Match": "\"1\""]).status == 400)
            #expect(try stack.asUser("PATCH", path, "{}", fields: ["If-None-Match": "*"]).status == 400)
        }
    }

    @Test("are patched by JSON merge patch: what is not named stays, null removes")
    func patch() async throws {
        try await Stack.with { stack in
            let path = "/api/presets/\(try stack.preset(params: Self.params))"
            let patched = try stack.asUser(
                "PATCH", path, #"{"version":1,"name":"other","params":{"temperature":null,"max_tokens":7}}"#)
            #expect(patched.status == 200)
            #expect(patched["name"]?.string == "other")
            #expect(patched["prompt"]?.string == "prompt")
            #expect(
                patched["params"]
                    == (try JSONValue(parsing: #"{"model":"gpt-3.5-turbo-instruct","max_tokens":7,"stop":["a"],"seed":-5}"#)))
            let bad = try stack.asUser("PATCH", path, #"{"version":2,"name":"","params":{"temperature":3},"color":"red"}"#)
            #expect(bad.status == 400)
            #expect(
                Set(bad["errors"]?.array?.compactMap { $0["param"]?.string } ?? []) == ["name", "params.temperature", "color"])
            #expect(try stack.asUser("GET", path)["version"]?.integer == 2)
        }
    }

    @Test("come in pages, newest first, each once, also while others are saved")
    func pages() async throws {
        try await Stack.with { stack in
            var saved: [String] = []
            for index in 0..<23 { saved.append(try stack.preset(name: "preset \(index)")) }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let page = try stack.asUser("GET", "/api/presets?limit=5" + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(page.status == 200)
                let ids = try #require(page["data"]?.array?.compactMap { $0["id"]?.string })
                #expect(ids.count <= 5)
                seen += ids
                cursor = page["next_cursor"]?.string
                #expect(page.json.object?.keys.contains("next_cursor") == true)
                _ = try stack.preset(name: "meanwhile")
            } while cursor != nil
            #expect(seen == saved.reversed())
            let usual = try stack.asUser("GET", "/api/presets")
            #expect(usual["data"]?.array?.count == 28)
            #expect(usual["next_cursor"] == .null)
            for cursor in ["x", "", String(repeating: "A", count: 32), String(repeating: "_", count: 32), "%00", "é"] {
                let answer = try stack.asUser("GET", "/api/presets?cursor=\(cursor)")
                #expect(answer.status == 400 || answer.status == 200 && cursor.hasPrefix("AAA"), "'\(cursor)': \(answer.text)")
            }
        }
    }

    @Test("of a page are at most 512 KiB together")
    func largePages() async throws {
        try await Stack.with { stack in
            let prompt = String(repeating: "0123456789abcdef", count: 8 * 1024 - 8)
            for _ in 0..<6 { _ = try stack.preset(prompt: prompt) }
            let first = try stack.asUser("GET", "/api/presets")
            #expect(first.body.count <= 512 * 1024)
            let count = try #require(first["data"]?.array?.count)
            #expect(count >= 3 && count < 6)
            let cursor = try #require(first["next_cursor"]?.string)
            let second = try stack.asUser("GET", "/api/presets?cursor=\(cursor)")
            #expect(second["data"]?.array?.count == 6 - count)
            #expect(second["next_cursor"] == .null)
        }
    }

    @Test("are refused for every field that is wrong, all named at once")
    func badFields() async throws {
        try await Stack.with { stack in
            for (body, params) in [
                ("{}", ["name", "prompt"]),
                (#"{"name":"","prompt":"p"}"#, ["name"]),
                (#"{"name":"\#(String(repeating: "é", count: 201))","prompt":"p"}"#, ["name"]),
                (#"{"name":1,"prompt":[]}"#, ["name", "prompt"]),
                (#"{"name":"n","prompt":"\#(String(repeating: "x", count: 131_073))"}"#, ["prompt"]),
                (
                    #"{"name":"n","prompt":"p","params":{"stop":["a",1],"n":2,"prompt":"x","stream":true}}"#,
                    ["params.stop.1", "params.n", "params.prompt", "params.stream"]
                ),
                (#"{"name":"n","prompt":"p","params":[1]}"#, ["params"]),
                (#"{"name":"n","prompt":"p","params":{"model":"gpt-4"}}"#, ["params.model"]),
                (#"{"name":"n","prompt":"p","colour":1}"#, ["colour"]),
            ] {
                let answer = try stack.asUser("POST", "/api/presets", body)
                #expect(answer.status == 400, "\(body.prefix(60))")
                #expect(answer["errors"]?.array?.compactMap { $0["param"]?.string } == params, "\(answer.text)")
                #expect(answer["param"]?.string == params[0])
                #expect(answer.problemCode != nil)
            }
            let name = String(repeating: "é", count: 200)
            #expect(try stack.asUser("POST", "/api/presets", #"{"name":"\#(name)","prompt":"p"}"#).status == 201)
        }
    }

    @Test("are at most a thousand a user")
    func limit() async throws {
        try await Stack.with(users: 2) { stack in
            let id = try stack.preset()
            // The other 998 by the way that counts them: saving each over HTTP would prove nothing more.
            _ = try stack.rows(
                """
                insert into presets (owner_id, id, name, prompt, params) \
                select owner_id, gen_random_uuid(), name, prompt, params from presets, generate_series(1, 998); \
                update users set preset_count = 999 where id = (select owner_id from presets limit 1)
                """)
            #expect(try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#).status == 201)
            let full = try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#)
            #expect(full.status == 409)
            #expect(full.problemCode == "preset_limit_reached")
            #expect(try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#, token: stack.tokens[1]).status == 201)
            #expect(try stack.asUser("DELETE", "/api/presets/\(id)").status == 204)
            #expect(try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#).status == 201)
        }
    }
}

extension Stack {
    /// Saves a preset of the first user, or another; its id.
    func preset(
        name: String = "name", prompt: String = "prompt", params: String = "{}", token: String? = nil
    ) throws -> String {
        let answer = try asUser(
            "POST", "/api/presets", #"{"name":"\#(name)","prompt":"\#(prompt)","params":\#(params)}"#, token: token)
        guard answer.status == 201, let id = answer["id"]?.string else { throw TestFailure("no preset: \(answer.text)") }
        return id
    }
}
