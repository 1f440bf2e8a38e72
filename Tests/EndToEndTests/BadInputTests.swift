import StrictJSON
import TestSupport
import Testing

/// Every route against everything that is wrong: a clear 4xx, and the next request works.
@Suite("Bad input")
struct BadInputTests {
    struct Route: CustomTestStringConvertible {
        let method: String
        let path: String
        /// A body that is right, for routes that take one.
        var body: String?
        var isOpen = false
        var allowed: [String]
        var testDescription: String { "\(method) \(path)" }
    }

    static let id = "0190b5a0-0000-7000-8000-00000000dead"
    static let account = #"{"email":"ann@example.com","password":"correct horse battery staple"}"#
    static let routes = [
        Route(method: "POST", path: "/api/auth/register", body: account, isOpen: true, allowed: ["POST"]),
        Route(method: "POST", path: "/api/auth/login", body: account, isOpen: true, allowed: ["POST"]),
        Route(method: "POST", path: "/api/auth/refresh", body: #"{"refresh_token":"x"}"#, isOpen: true, allowed: ["POST"]),
        Route(method: "POST", path: "/api/auth/logout", body: #"{"refresh_token":"x"}"#, isOpen: true, allowed: ["POST"]),
        Route(method: "GET", path: "/api/me", allowed: ["GET", "HEAD", "DELETE"]),
        Route(method: "GET", path: "/api/presets", allowed: ["GET", "HEAD", "POST"]),
        Route(method: "POST", path: "/api/presets", body: #"{"name":"n","prompt":"p"}"#, allowed: ["GET", "HEAD", "POST"]),
        Route(method: "GET", path: "/api/presets/\(id)", allowed: ["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        Route(
            method: "PUT", path: "/api/presets/\(id)", body: #"{"name":"n","prompt":"p","version":1}"#,
            allowed: ["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        Route(
            method: "PATCH", path: "/api/presets/\(id)", body: #"{"name":"n","version":1}"#,
            allowed: ["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        Route(method: "DELETE", path: "/api/presets/\(id)", allowed: ["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        Route(method: "POST", path: "/api/complete", body: #"{"prompt":"[[tokens=1]]","max_tokens":1}"#, allowed: ["POST"]),
        Route(method: "GET", path: "/api/models", allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/api/limits", allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/api/info", isOpen: true, allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/healthz", isOpen: true, allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/readyz", isOpen: true, allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/metrics", isOpen: true, allowed: ["GET", "HEAD"]),
        Route(method: "GET", path: "/openapi.yaml", isOpen: true, allowed: ["GET", "HEAD"]),
    ]
    static let withBody = routes.filter { $0.body != nil }

    @Test("in a body is refused as what it is, on every route that takes one")
    func bodies() async throws {
        try await Stack.with { stack in
            try stack.saveSubject()
            for route in Self.withBody {
                let right = try #require(route.body)
                let doubled = right.dropLast() + "," + right.dropFirst()
                let cases: [(String, [UInt8])] = [
                    ("cut", Array(right.utf8.dropLast())), ("trailing comma", Array((right.dropLast() + ",}").utf8)),
                    ("something behind", Array((right + "x").utf8)), ("single quotes", Array("{'a':1}".utf8)),
                    ("duplicate key", Array(doubled.utf8)), ("byte order mark", [0xEF, 0xBB, 0xBF] + Array(right.utf8)),
                    ("UTF-16", right.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }),
                    ("invalid UTF-8", Array(right.utf8.dropLast(2)) + [0xFF, 0xFE] + Array("\"}".utf8)),
                    ("overlong UTF-8", Array(right.utf8.dropLast(2)) + [0xC0, 0x80] + Array("\"}".utf8)),
                    ("surrogates in UTF-8", Array(#"{"a":""#.utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8)),
                    ("array", Array("[\(right)]".utf8)), ("string", Array("\"x\"".utf8)), ("number", Array("1".utf8)),
                    ("null", Array("null".utf8)), ("nothing but space", Array("  ".utf8)), ("NaN", Array(#"{"a":NaN}"#.utf8)),
                    ("deep", Array((String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)).utf8)),
                    ("unknown field", Array((right.dropLast() + #","colour":"red"}"#).utf8)),
                    ("long number", Array((right.dropLast() + ",\"seed\":" + String(repeating: "9", count: 400) + "}").utf8)),
                ]
                for (name, body) in cases {
                    let answer = try stack.send(route, body: body)
                    #expect(answer.status == 400, "\(route.testDescription): \(name) gave \(answer.status)")
                    #expect(answer.problemCode != nil, "\(route.testDescription): \(name)")
                }
                let unknown = try stack.send(route, body: Array((right.dropLast() + #","colour":"red"}"#).utf8))
                #expect(unknown.problemCode == "unknown_parameter", "\(route.testDescription)")
                #expect(unknown["param"]?.string == "colour")
            }
            try stack.expectHealthy()
        }
    }

    @Test("of the wrong type in any field of any body is refused and named")
    func wrongTypes() async throws {
        try await Stack.with { stack in
            try stack.saveSubject()
            for route in Self.withBody {
                let object = try #require(try JSONValue(parsing: route.body ?? "").object)
                for key in object.keys {
                    for value in ["true", "[true]", #"{"a":1}"#, "1.5", "-1"] {
                        var members = object.members.filter { $0.key != key }.map { "\"\($0.key)\":\($0.value.jsonText)" }
                        members.append("\"\(key)\":\(value)")
                        let answer = try stack.send(route, body: Array("{\(members.joined(separator: ","))}".utf8))
                        #expect(answer.status == 400, "\(route.testDescription) \(key)=\(value)")
                        #expect(
                            answer["errors.0.param"]?.string?.hasPrefix(key) == true, "\(route.testDescription) \(key)=\(value)")
                    }
                }
            }
            try stack.expectHealthy()
        }
    }

    static let numbers = [
        "-1", "0", "2147483648", "9007199254740992", "9223372036854775808", "18446744073709551616", "1e400", "1.0", "1e2", "-0",
        "\"1\"", "true", "1" + String(repeating: "0", count: 399), "00", "+1", "0x10", "1_000", "Infinity",
    ]

    @Test("as a number is refused or clamped as documented, and never ends the process")
    func numbers() async throws {
        try await Stack.with { stack in
            for number in Self.numbers {
                for body in [
                    #"{"prompt":"[[tokens=1]]","max_tokens":\#(number)}"#,
                    #"{"prompt":"[[tokens=1]]","logprobs":\#(number == "0" || number == "-0" ? "-1" : number)}"#,
                ] {
                    let answer = try stack.asUser("POST", "/api/complete", body)
                    #expect(answer.status == 400, "\(body) gave \(answer.status)")
                    #expect(answer.problemCode != nil)
                }
                let preset = try stack.asUser(
                    "POST", "/api/presets", #"{"name":"n","prompt":"p","params":{"max_tokens":\#(number)}}"#)
                #expect(preset.status == 400, "\(number)")
                let version = try stack.asUser(
                    "PUT", "/api/presets/\(Self.id)", #"{"name":"n","prompt":"p","version":\#(number)}"#)
                #expect((400...428).contains(version.status), "\(number)")
                let query = number.replacing("\"", with: "%22").replacing("+", with: "%2B")
                let page = try stack.asUser("GET", "/api/presets?limit=\(query)")
                #expect(page.status == 400, "limit=\(number)")
                let match = try stack.asUser("DELETE", "/api/presets/\(Self.id)", fields: ["If-Match": "\"\(number)\""])
                #expect([400, 404, 412].contains(match.status), "If-Match \(number)")
            }
            for limit in ["201", "null", "", "5x", "%00", "%35", "5&limit=5"] {
                let answer = try stack.asUser("GET", "/api/presets?limit=\(limit)")
                #expect(answer.status == 400 || ["%35", "5&limit=5"].contains(limit), "limit=\(limit)")
            }
            for wide in ["temperature", "top_p", "frequency_penalty", "presence_penalty"] {
                for number in ["1e400", "-1e400", "3", "-3", "1e-400000", "\"1\"", "true"] {
                    let answer = try stack.asUser("POST", "/api/complete", #"{"prompt":"[[tokens=1]]","\#(wide)":\#(number)}"#)
                    #expect(answer.status == 400 || number == "1e-400000", "\(wide) \(number)")
                }
            }
            try stack.expectHealthy()
        }
    }

    @Test("of the wrong media type is refused where a body is, and Accept is nobody's business")
    func mediaTypes() async throws {
        try await Stack.with { stack in
            for route in Self.withBody {
                for type in [
                    "text/plain", "application/xml", "application/json; charset=latin1", "application/jsonx", "json", "",
                ] {
                    let answer = try stack.send(route, body: Array((route.body ?? "").utf8), fields: ["Content-Type": type])
                    #expect(answer.status == 415, "\(route.testDescription): '\(type)' gave \(answer.status)")
                    #expect(answer.problemCode == "unsupported_media_type")
                }
            }
            for type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
                let fields = ["Content-Type": type, "Accept": "text/html"]
                #expect(
                    try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#, fields: fields).status == 201,
                    "\(type)")
            }
        }
    }

    @Test("that is too large is refused, declared or in chunks, and the refusal can be read")
    func oversized() async throws {
        try await Stack.with { stack in
            for route in Self.withBody {
                let client = try stack.server.client()
                let fields = stack.fields().map { "\($0.key): \($0.value)\r\n" }.joined()
                try client.send(
                    "\(route.method) \(route.path) HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Length: 262145\r\n\r\n")
                let declared = try client.readResponse()
                #expect(declared.status == 413, "\(route.testDescription)")
                #expect(declared.problemCode == "payload_too_large")
                let chunked = try stack.server.client()
                try chunked.send(
                    "\(route.method) \(route.path) HTTP/1.1\r\nHost: localhost\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n")
                let chunk = "8000\r\n" + String(repeating: " ", count: 0x8000) + "\r\n"
                for _ in 0..<8 { try chunked.send(chunk) }
                try chunked.send("1\r\n \r\n0\r\n\r\n")
                #expect(try chunked.readResponse().status == 413, "\(route.testDescription) in chunks")
            }
            let largest = try stack.server.client()
            let fields = stack.fields().map { "\($0.key): \($0.value)\r\n" }.joined()
            try largest.send(
                "POST /api/presets HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Length: 9223372036854775807\r\n\r\n")
            #expect(try largest.readResponse().status == 413)
            let exact = #"{"name":"n","prompt":"p"}"#
            let padded = exact + String(repeating: " ", count: 262_144 - exact.utf8.count)
            #expect(try stack.asUser("POST", "/api/presets", padded).status == 201, "the limit itself is allowed")
            try stack.expectHealthy()
        }
    }

    @Test("in method or path gives 405 with Allow, or 404; without a token 401; HEAD and OPTIONS are answered")
    func methodsAndPaths() async throws {
        try await Stack.with { stack in
            for route in Self.routes {
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "QUERY"] where !route.allowed.contains(method)
                {
                    let answer = try stack.asUser(method, route.path, method == "GET" ? nil : "{}")
                    #expect(answer.status == 405, "\(method) \(route.path)")
                    #expect(answer.problemCode == "method_not_allowed")
                    let allow = Set(
                        (answer.head["allow"] ?? "").split(separator: ",").map { $0.drop { $0 == " " } }.map(String.init))
                    #expect(allow.isSuperset(of: route.allowed), "\(method) \(route.path): \(allow)")
                    #expect(!allow.contains(method))
                }
                let options = try stack.ask("OPTIONS", route.path)
                #expect(options.status == 204 || options.status == 200, "\(route.path)")
                for method in route.allowed { #expect(options.head["allow"]?.contains(method) == true, "\(route.path)") }
                if route.method == "GET" {
                    let get = try stack.asUser("GET", route.path)
                    let head = try stack.asUser("HEAD", route.path)
                    #expect(head.status == get.status, "HEAD \(route.path)")
                    #expect(head.body.isEmpty)
                    #expect(head.head["content-type"] == get.head["content-type"])
                    if route.path != "/metrics" {
                        #expect(head.head["content-length"] == get.head["content-length"], "\(route.path)")
                    }
                }
                if !route.isOpen {
                    let answer = try stack.ask(route.method, route.path, ["Content-Type": "application/json"], body: route.body)
                    #expect(answer.status == 401, "\(route.testDescription)")
                    #expect(answer.problemCode == "token_missing")
                    #expect(answer.head["www-authenticate"] == "Bearer")
                }
            }
            for path in [
                "/", "/api", "/api/", "/api/me/", "/api/presets/", "/API/ME", "/api/presets/\(Self.id)/x", "//api/me",
                "/api/../api/me", "/healthz/x", "/api/auth", "/%2fapi/me", "/api%2fme",
            ] {
                let answer = try stack.asUser("GET", path)
                #expect(answer.status == 404, "\(path) gave \(answer.status)")
                #expect(answer.problemCode == "not_found")
            }
            try stack.expectHealthy()
        }
    }

    @Test("below JSON, in HTTP itself, gets a problem too")
    func malformedMessages() async throws {
        try await Stack.with { stack in
            for (message, status) in [
                ("GET /api/me HTTP/1.1\r\n\r\n", 400), ("GET /api/me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                ("GET /api/me HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("NONSENSE\r\n\r\n", 400),
                ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431),
                ("POST /api/me HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
                (
                    "POST /api/complete HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    400
                ),
                ("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
                ("GET /api/me HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400), ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n", 400),
            ] {
                let client = try stack.server.client()
                try client.send(message)
                let answer = try client.readResponse()
                #expect(answer.status == status, "\(message.prefix(60))")
                #expect(answer.problemCode != nil, "\(message.prefix(60)): \(answer.text)")
                #expect(answer.head["cache-control"] == "no-store")
                #expect(client.waitForClose(), "\(message.prefix(60))")
            }
            try stack.expectHealthy()
        }
    }
}

extension Stack {
    /// The preset that the table's paths name: a patch is judged together with what it changes.
    func saveSubject() throws {
        let answer = try asUser(
            "PUT", "/api/presets/\(BadInputTests.id)", #"{"name":"n","prompt":"p"}"#, fields: ["If-None-Match": "*"])
        guard answer.status == 201 else { throw TestFailure("not saved: \(answer.text)") }
    }

    /// A request to a route with these bytes as its body.
    func send(_ route: BadInputTests.Route, body: [UInt8], fields: [String: String] = [:]) throws -> RawClient.Response {
        let client = try server.client()
        let head = self.fields().merging(fields) { $1 }.map { "\($0.key): \($0.value)\r\n" }.joined()
        try client.send(
            "\(route.method) \(route.path) HTTP/1.1\r\nHost: localhost\r\n\(head)Content-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        let response = try client.readResponse()
        remember(response.body)
        return response
    }

    /// After whatever came, an ordinary request on a fresh connection works, and there was no 5xx.
    func expectHealthy() throws {
        #expect(try asUser("GET", "/api/me").status == 200)
        #expect(try StreamTranscript(completed("tokens=2").body).isDone)
        let metrics = try ask("GET", "/metrics").text
        let failures = metrics.split(separator: "\n").filter { $0.hasPrefix("http_requests_total{") && $0.contains("status=\"5") }
        #expect(failures.isEmpty, "\(failures)")
    }
}
