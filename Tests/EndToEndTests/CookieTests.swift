import StrictJSON
import TestSupport
import Testing

/// The session of a frontend that is served from the API's own origin, and what other sites' pages cannot do with it.
@Suite("A session in cookies")
struct CookieTests {
    static let own = "http://localhost"
    static let listed = "https://app.example.com"
    static let access = "__Host-playground-access"

    @Test("is given, renewed and taken away in cookies that no script can read")
    func delivery() async throws {
        try await Stack.with(users: 0) { stack in
            let json = ["Content-Type": "application/json", "Origin": Self.own]
            let account = #"{"email":"ann@example.com","password":"correct horse battery staple""#
            _ = try stack.post("/api/auth/register", account + "}")
            let login = try stack.ask("POST", "/api/auth/login", json, body: account + #","token_delivery":"cookie"}"#)
            #expect(login.status == 200)
            #expect(login["access_token"] == nil && login["refresh_token"] == nil && login["token_type"] == nil)
            #expect(login["user.email"]?.string == "ann@example.com")
            let cookies = try login.cookies
            #expect(cookies.count == 2)
            for (name, cookie) in cookies {
                #expect(cookie.attributes.isSuperset(of: ["HttpOnly", "Secure", "SameSite=Lax"]), "\(name)")
                #expect(!cookie.attributes.contains { $0.lowercased().hasPrefix("domain") })
                #expect(cookie.attributes.contains { $0.hasPrefix("Max-Age=") })
            }
            let access = try #require(cookies[Self.access])
            #expect(access.attributes.contains("Path=/"))
            let (refreshName, refresh) = try #require(cookies.first { $0.key != Self.access })
            #expect(refresh.attributes.contains("Path=/api/auth"))

            #expect(try stack.ask("GET", "/api/me", ["Cookie": "theme=dark; \(Self.access)=\(access.value)"]).status == 200)

            let renewed = try stack.ask(
                "POST", "/api/auth/refresh", ["Cookie": "\(refreshName)=\(refresh.value)", "Origin": Self.own])
            #expect(renewed.status == 200)
            let next = try renewed.cookies
            #expect(next.count == 2 && next[refreshName]?.value != refresh.value)
            #expect(renewed["access_token"] == nil)
            for origin in [nil, "https://evil.example"] {
                var fields = ["Cookie": "\(refreshName)=\(next[refreshName]?.value ?? "")"]
                fields["Origin"] = origin
                #expect(try stack.ask("POST", "/api/auth/refresh", fields).problemCode == "origin_not_allowed")
                #expect(try stack.ask("POST", "/api/auth/logout", fields).problemCode == "origin_not_allowed")
                var login = json
                login["Origin"] = origin
                #expect(
                    try stack.ask("POST", "/api/auth/login", login, body: account + #","token_delivery":"cookie"}"#).problemCode
                        == "origin_not_allowed")
            }

            let out = try stack.ask(
                "POST", "/api/auth/logout",
                ["Cookie": "\(Self.access)=\(next[Self.access]?.value ?? "")", "Origin": Self.own])
            #expect(out.status == 204)
            for cookie in try out.cookies.values { #expect(cookie.value.isEmpty && cookie.attributes.contains("Max-Age=0")) }
            #expect(try out.cookies.count == 2)
            #expect(
                try stack.ask("GET", "/api/me", ["Cookie": "\(Self.access)=\(access.value)"]).problemCode == "session_revoked")
        }
    }

    @Test("stands in for Bearer in reading; to change something it takes an own or listed Origin and a JSON body")
    func crossSite() async throws {
        try await Stack.with(environment: ["CORS_ORIGINS": Self.listed]) { stack in
            let cookie = "\(Self.access)=\(try stack.session().accessToken)"
            func create(_ origin: String?, type: String = "application/json") throws -> RawClient.Response {
                var fields = ["Cookie": cookie, "Content-Type": type]
                fields["Origin"] = origin
                return try stack.ask("POST", "/api/presets", fields, body: #"{"name":"n","prompt":"p"}"#)
            }
            #expect(try stack.ask("GET", "/api/presets", ["Cookie": cookie]).status == 200)
            for origin in [Self.own, "https://localhost", Self.listed] {
                #expect(try create(origin).status == 201, "\(origin)")
            }
            for origin in [
                nil, "https://evil.example", "null", "", "http://localhost:1234", "http://localhost.evil.example",
                "https://app.example.com.evil.example", "https://evil.app.example.com", "localhost",
            ] {
                let answer = try create(origin)
                #expect(answer.status == 403, "\(origin ?? "none")")
                #expect(answer.problemCode == "origin_not_allowed")
            }
            for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                #expect(try create(Self.own, type: type).status == 415)
            }
            #expect(try stack.row("select count(*) from presets") == ["3"])
            let stream = try stack.ask(
                "POST", "/api/complete", ["Cookie": cookie, "Content-Type": "application/json", "Origin": Self.own],
                body: #"{"prompt":"[[tokens=2]]","stream":true}"#)
            #expect(try StreamTranscript(stream.body).isDone, "the reference frontend sends no Authorization field")
            // A Bearer token is not sent by itself, so no Origin is asked for; it counts more than a cookie.
            #expect(try stack.asUser("POST", "/api/presets", #"{"name":"n","prompt":"p"}"#).status == 201)
            #expect(try stack.ask("GET", "/api/me", ["Cookie": cookie, "Authorization": "Bearer x"]).status == 401)
            #expect(try stack.ask("GET", "/api/me", ["Cookie": "\(Self.access)=x"]).problemCode == "token_invalid")
        }
    }

    @Test("is never good where any origin may ask")
    func anyOrigin() async throws {
        try await Stack.with(environment: ["CORS_ORIGINS": "*"]) { stack in
            let cookie = "\(Self.access)=\(try stack.session().accessToken)"
            let fields = ["Cookie": cookie, "Content-Type": "application/json", "Origin": "https://evil.example"]
            let answer = try stack.ask("POST", "/api/presets", fields, body: #"{"name":"n","prompt":"p"}"#)
            #expect(answer.problemCode == "origin_not_allowed")
            #expect(answer.head["access-control-allow-origin"] == "*")
            #expect(answer.head["access-control-allow-credentials"] == nil)
        }
    }
}

extension RawClient.Response {
    /// A cookie as it was set.
    struct Cookie {
        let value: String
        let attributes: Set<String>
    }

    var cookies: [String: Cookie] {
        get throws {
            var cookies: [String: Cookie] = [:]
            for field in head.fields where field.name.lowercased() == "set-cookie" {
                let parts = field.value.split(separator: ";").map { String($0.drop { $0 == " " }) }
                let pair = parts[0].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard pair.count == 2 else { throw TestFailure("not a cookie: \(field.value)") }
                cookies[pair[0]] = Cookie(value: pair[1], attributes: Set(parts.dropFirst()))
            }
            return cookies
        }
    }
}
