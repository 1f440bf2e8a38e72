import Foundation
import StrictJSON
import TestSupport
import Testing

/// What belongs to somebody else, and texts that want to be something else than text.
@Suite("Strangers and strange texts")
struct TenancyTests {
    @Test("another user's preset answers exactly like a missing one, on every route and method, and is not touched")
    func foreignPreset() async throws {
        try await Stack.with(users: 2) { stack in
            let foreign = try stack.preset(token: stack.tokens[1])
            let before = try stack.rows("select * from presets").map { $0.map { $0 ?? "" } }
            let missing = "0190b5a0-0000-7000-8000-00000000dead"
            let whole = #"{"name":"n","prompt":"p","params":{},"version":1}"#
            let requests: [(String, String?, [String: String])] = [
                ("GET", nil, [:]), ("HEAD", nil, [:]), ("PUT", whole, [:]), ("PUT", whole, ["If-Match": "\"1\""]),
                ("PUT", #"{"name":"n","prompt":"p"}"#, ["If-Match": "\"2\""]), ("PATCH", #"{"name":"n","version":1}"#, [:]),
                ("PATCH", "{}", [:]),
                ("PATCH", #"{"name":"n"}"#, ["If-Match": "\"7\""]), ("DELETE", nil, [:]), ("DELETE", nil, ["If-Match": "\"1\""]),
                ("DELETE", nil, ["If-Match": "\"2\""]), ("POST", "{}", [:]), ("OPTIONS", nil, [:]),
            ]
            for (method, body, fields) in requests {
                let answers = try [foreign, missing].map { id in
                    try stack.asUser(method, "/api/presets/\(id)", body, fields: fields)
                }
                #expect(answers[0].status == answers[1].status, "\(method) \(fields)")
                #expect(answers[0].withoutRequestID == answers[1].withoutRequestID, "\(method) \(fields)")
                let heads = answers.map { answer in
                    answer.head.fields.filter { !["x-request-id", "date"].contains($0.name.lowercased()) }.map { "\($0)" }
                }
                #expect(heads[0] == heads[1], "\(method) \(fields)")
                if !["POST", "OPTIONS"].contains(method), !(method == "PATCH" && body == "{}") {
                    #expect(answers[0].status == 404, "\(method) \(fields)")
                }
            }
            let asked = try [foreign, missing].map { try stack.asUser("POST", "/api/complete", #"{"preset_id":"\#($0)"}"#) }
            #expect(asked[0].status == 404 && asked[1].status == 404)
            #expect(asked[0].withoutRequestID == asked[1].withoutRequestID)
            #expect(try stack.asUser("GET", "/api/presets")["data"]?.array?.isEmpty == true)
            #expect(try stack.rows("select * from presets").map { $0.map { $0 ?? "" } } == before)

            // Nobody, and nobody any more.
            let session = try stack.session()
            _ = try stack.ask("POST", "/api/auth/logout", ["Authorization": "Bearer \(session.accessToken)"])
            for (method, body, fields) in requests where method != "OPTIONS" && method != "POST" {
                let anonymous = try stack.ask(
                    method, "/api/presets/\(foreign)", fields.merging(["Content-Type": "application/json"]) { $1 }, body: body)
                #expect(anonymous.status == 401, "\(method)")
                let revoked = try stack.asUser(
                    method, "/api/presets/\(foreign)", body, fields: fields, token: session.accessToken)
                #expect(revoked.status == 401, "\(method)")
            }
            #expect(try stack.rows("select * from presets").map { $0.map { $0 ?? "" } } == before)
        }
    }

    @Test("another user's completion answers exactly like a missing one, running and ended, on every route, and goes on")
    func foreignCompletion() async throws {
        try await Stack.with(replicas: 2, users: 2) { stack in
            let (ended, running) = ("0190b5a0-0000-7000-8000-0000000000e0", "0190b5a0-0000-7000-8000-0000000000e1")
            let (missing, malformed) = ("0190b5a0-0000-7000-8000-00000000dead", "no-uuid")
            #expect(try stack.completed("tokens=1", token: stack.tokens[1], id: ended).status == 200)
            let client = try stack.complete(
                "id=foreign tokens=10000 interval=20", token: stack.tokens[1], id: running, parameters: #""max_tokens":20000"#)
            _ = try client.readHead()
            try stack.expect("select count(*) from usage", becomes: "1")
            for replica in stack.replicas {
                for (method, path) in [("GET", ""), ("HEAD", ""), ("DELETE", ""), ("POST", "/stop"), ("GET", "/stop")] {
                    func answer(_ id: String) throws -> RawClient.Response {
                        let client = try replica.client()
                        try client.sendRequest(method, "/api/complete/\(id)\(path)", stack.fields())
                        return try client.readResponse(bodyless: method == "HEAD")
                    }
                    let expected = try answer(missing)
                    let isRoute = path == "/stop" ? method == "POST" : method != "DELETE"
                    #expect(expected.status == (isRoute ? 404 : 405), "\(method) \(path)")
                    for id in [ended, running, malformed] {
                        let given = try answer(id)
                        #expect(given.status == expected.status, "\(method) \(path) \(id)")
                        #expect(given.withoutRequestID == expected.withoutRequestID, "\(method) \(path) \(id)")
                    }
                }
                for (method, path) in [("GET", running), ("POST", running + "/stop")] {
                    #expect(try stack.ask(method, "/api/complete/\(path)", on: replica).status == 401)
                }
            }
            // Its owner's own second request to stop what has ended is answered like all of these.
            let own = try stack.asUser("POST", "/api/complete/\(ended)/stop", token: stack.tokens[1])
            let none = try stack.asUser("POST", "/api/complete/\(missing)/stop", token: stack.tokens[1])
            #expect(own.status == 404 && own.withoutRequestID == none.withoutRequestID)
            #expect(try stack.rows("select stop_requested_at from reservations") == [[nil]])
            for _ in 0..<5 { #expect(try client.readEvent()?.data != nil) }
        }
    }

    @Test("an id that is no UUID is not found")
    func malformedIDs() async throws {
        try await Stack.with { stack in
            for id in [
                "x", "1", "%00", "..", "%2e%2e", "a%2Fb", String(repeating: "a", count: 4000), "{id}", "null", "%C3%A9", "'--",
            ] {
                for method in ["GET", "DELETE"] {
                    let answer = try stack.asUser(method, "/api/presets/\(id)")
                    #expect([400, 404, 405].contains(answer.status), "\(method) \(id): \(answer.status)")
                    #expect(answer.problemCode != nil, "\(method) \(id)")
                }
            }
        }
    }

    /// The list of naughty strings where the run names a directory of outside corpora; they are not part of this project.
    static var naughtyStrings: [String] {
        get throws {
            guard let corpora = ProcessInfo.processInfo.environment["CORPORA"] else { return ownStrings }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: corpora + "/strings/blns.json"))
            guard let list = try JSONSerialization.jsonObject(with: bytes) as? [String], list.count > 500 else {
                throw TestFailure("blns.json holds no list of strings")
            }
            return list + ownStrings
        }
    }

    static let ownStrings = [
        "", " ", "\t\r\n", "null", "'; drop table presets; --", "\\\"\\\\u0000", "data: [DONE]\n\n", "\r\nSet-Cookie: a=b\r\n",
        "${jndi:ldap://x}", "<script>alert(1)</script>", "%s%n%d", "../../etc/passwd", "\u{FEFF}BOM", "\u{2028}\u{2029}\u{85}",
        "e\u{301} versus é", "שלום مرحبا", "\u{202E}desrever", "👩‍👩‍👧‍👦🏳️‍🌈", "\u{10FFFF}\u{FFFF}\u{FFFD}", "𝕋𝕙𝕖", "\u{1}\u{7F}\u{9F}",
        "1E400",
        "__proto__", "constructor", "{{7*7}}", "`id`", "$(id)", "\u{1B}[31m", "％００", "Ｆｕｌｌ", "ß ẞ ı İ", "a\u{0}b",
    ]

    @Test("texts come back byte for byte from every text field, or are refused by name; none splits a log line")
    func naughtyStringsRoundTrip() async throws {
        try await Stack.with { stack in
            for text in try Self.naughtyStrings {
                let client = try stack.server.client()
                let literal = JSONValue.string(text).jsonText
                func check(_ answer: RawClient.Response, _ path: String) throws {
                    if answer.status < 300 {
                        #expect(answer[path]?.string.map { Array($0.utf8) } == Array(text.utf8), "\(path): \(literal)")
                        let read = try client.request("GET", "/api/presets/\(answer["id"]?.string ?? "")", stack.fields())
                        #expect(read.body == answer.body)
                    } else {
                        #expect(answer.status == 400, "\(path): \(literal)")
                        #expect(answer.problemCode != nil)
                        #expect(text.unicodeScalars.contains("\0") || text.isEmpty || text.unicodeScalars.count > 200)
                    }
                }
                let fields = stack.fields()
                try check(client.request("POST", "/api/presets", fields, body: #"{"name":\#(literal),"prompt":"p"}"#), "name")
                try check(client.request("POST", "/api/presets", fields, body: #"{"name":"n","prompt":\#(literal)}"#), "prompt")
                try check(
                    client.request(
                        "POST", "/api/presets", fields, body: #"{"name":"n","prompt":"p","params":{"suffix":\#(literal)}}"#),
                    "params.suffix")
                // The limit of presets is not what is tested.
                if try stack.rows("select count(*) > 900 from presets").first?.first == "t" {
                    _ = try stack.rows("delete from presets; update users set preset_count = 0")
                }
            }
            try stack.checkLogLines()
        }
    }

    @Test(
        "a NUL character is refused wherever text may stand",
        arguments: ["\\u0000", "a\\u0000", "\\ud800", "\\udc00\\ud800", "\\uD83D"])
    func unstorable(text: String) async throws {
        try await Stack.with(users: 1) { stack in
            for (method, path, body) in [
                ("POST", "/api/presets", #"{"name":"\#(text)","prompt":"p"}"#),
                ("POST", "/api/presets", #"{"name":"n","prompt":"\#(text)"}"#),
                ("POST", "/api/presets", #"{"name":"n","prompt":"p","params":{"stop":["\#(text)"]}}"#),
                ("POST", "/api/presets", #"{"name":"n","prompt":"p","\#(text)":1}"#),
                ("POST", "/api/complete", #"{"prompt":"\#(text)"}"#),
                ("POST", "/api/auth/login", #"{"email":"a@b.c","password":"\#(text)12345678"}"#),
                ("POST", "/api/auth/register", #"{"email":"\#(text)@b.example","password":"a good password"}"#),
            ] {
                let answer = try stack.asUser(method, path, body)
                #expect(answer.status == 400, "\(path) \(body)")
                #expect(answer.problemCode != nil)
            }
        }
    }
}

extension Stack {
    /// Every line of every replica's log is one JSON object with a time, a level and a message; what is not log is the
    /// announcement on standard output.
    func checkLogLines() throws {
        for line in replicas.flatMap(\.process.lines) where !line.hasPrefix("listening on ") && !line.isEmpty {
            guard let object = try? JSONValue(parsing: line).object, object["time"]?.string != nil,
                object["level"]?.string != nil, object["message"]?.string != nil
            else { throw TestFailure("not a log line: \(line)") }
        }
    }
}
