import TestSupport
import Testing

/// What a browser is told about pages of other origins.
@Suite("A page of another origin")
struct CrossOriginTests {
    static let origins = "https://app.example.com, https://*.preview.example, tauri://localhost, http://localhost:5173"
    static let listed = [
        "https://app.example.com", "https://one.preview.example", "https://a.b.preview.example", "tauri://localhost",
        "http://localhost:5173",
    ]
    static let unlisted = [
        "https://evil.example", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.example",
        "https://preview.example", "https://evilpreview.example", "http://one.preview.example", "https://one.preview.example:81",
        "https://a/.preview.example", "tauri://localhost2", "http://localhost", "null", "", "https://", "*",
    ]
    static let exposed = [
        "X-Request-Id", "X-Completion-Id", "X-Max-Tokens-Applied", "Idempotency-Replayed", "ETag", "Location", "Link",
        "Retry-After", "retry-after-ms", "x-should-retry", "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
    ]

    @Test("that is listed may ask for everything, and reads every answer: streams, errors, refusals of any kind")
    func listedOrigins() async throws {
        try await Stack.with(environment: ["CORS_ORIGINS": Self.origins]) { stack in
            for origin in Self.listed {
                let preflight = try stack.ask(
                    "OPTIONS", "/api/complete",
                    [
                        "Origin": origin, "Access-Control-Request-Method": "POST",
                        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os,completion-id",
                    ])
                #expect(preflight.status == 204 || preflight.status == 200, "\(origin)")
                #expect(preflight.head["access-control-allow-origin"] == origin)
                #expect(preflight.head["access-control-allow-methods"]?.contains("POST") == true)
                #expect(
                    preflight.head["access-control-allow-headers"] == "authorization,content-type,x-stainless-os,completion-id")
                #expect(preflight.head["access-control-allow-credentials"] == "true")
                #expect(preflight.head["access-control-max-age"] == "7200")
                #expect(preflight.head["vary"]?.contains("Origin") == true)
                for answer in try Self.answers(stack, origin) {
                    #expect(answer.head["access-control-allow-origin"] == origin, "\(origin): \(answer.status)")
                    #expect(answer.head["vary"]?.contains("Origin") == true, "\(answer.status)")
                    let names = (answer.head["access-control-expose-headers"] ?? "").split(separator: ",")
                        .map { $0.drop { $0 == " " }.lowercased() }
                    #expect(Set(names).isSuperset(of: Self.exposed.map { $0.lowercased() }), "\(answer.status)")
                }
            }
        }
    }

    @Test("that is not listed is told nothing, and nothing is cached for another")
    func unlistedOrigins() async throws {
        try await Stack.with(environment: ["CORS_ORIGINS": Self.origins]) { stack in
            for origin in Self.unlisted {
                let preflight = try stack.ask(
                    "OPTIONS", "/api/complete", ["Origin": origin, "Access-Control-Request-Method": "POST"])
                for answer in try [preflight] + Self.answers(stack, origin) {
                    for field in answer.head.fields {
                        #expect(!field.name.lowercased().hasPrefix("access-control-"), "\(origin): \(field)")
                    }
                    #expect(answer.head["vary"]?.contains("Origin") == true)
                }
            }
        }
    }

    @Test("of any kind may ask where `*` is configured, never with cookies")
    func anyOrigin() async throws {
        try await Stack.with(environment: ["CORS_ORIGINS": "*"]) { stack in
            for origin in ["https://evil.example", "null", "chrome-extension://abcdef"] {
                let preflight = try stack.ask(
                    "OPTIONS", "/api/presets/\(BadInputTests.id)",
                    [
                        "Origin": origin, "Access-Control-Request-Method": "PATCH",
                        "Access-Control-Request-Headers": "authorization",
                    ])
                #expect(preflight.head["access-control-allow-methods"]?.contains("PATCH") == true)
                // With a wildcard in it a browser takes no Authorization field, so the names are echoed.
                #expect(preflight.head["access-control-allow-headers"] == "authorization")
                for answer in try [preflight] + Self.answers(stack, origin) {
                    #expect(answer.head["access-control-allow-origin"] == "*")
                    #expect(answer.head["access-control-allow-credentials"] == nil)
                }
            }
        }
    }

    @Test("has no place where none is configured")
    func noOrigins() async throws {
        try await Stack.with { stack in
            for answer in try Self.answers(stack, "https://app.example.com") {
                #expect(!answer.head.fields.contains { $0.name.lowercased().hasPrefix("access-control-") })
            }
        }
    }

    @Test(
        "makes no server start where the list is nonsense",
        arguments: ["example.com", "https://", "https://a.example/path", "https://*", "https://a*.example"])
    func nonsense(list: String) async throws {
        try await offPool {
            var environment = Stack.variables(database: "postgres://nobody@127.0.0.1:1/none", upstreamPort: 1)
            environment["CORS_ORIGINS"] = list
            let process = try ChildProcess("APIServer", ["serve"], environment: environment)
            #expect(try process.waitForOutput() != 0)
            #expect(process.lines.contains { $0.contains("CORS_ORIGINS") })
        }
    }

    /// One answer of every kind.
    private static func answers(_ stack: Stack, _ origin: String) throws -> [RawClient.Response] {
        let fields = ["Origin": origin]
        let json = fields.merging(stack.fields()) { $1 }
        let answers = [
            try stack.ask("GET", "/api/info", fields), try stack.ask("GET", "/api/me", json),
            try stack.ask("GET", "/api/me", fields),
            try stack.ask("GET", "/nowhere", fields), try stack.ask("PUT", "/api/me", json, body: "{}"),
            try stack.ask("POST", "/api/complete", json, body: "{"),
            try stack.ask("POST", "/api/complete", ["Origin": origin], body: "x"),
            try stack.ask("POST", "/api/complete", json, body: #"{"prompt":"[[tokens=1]]","stream":true}"#),
            try stack.ask("POST", "/api/complete", json, body: #"{"prompt":"[[status=429]]","stream":true}"#),
            try stack.ask("POST", "/api/complete", json, body: String(repeating: " ", count: 300_000)),
        ]
        #expect(answers.map(\.status) == [200, 200, 401, 404, 405, 400, 401, 200, 429, 413])
        return answers
    }
}
