import Testing

@testable import HTTPClient

@Suite("An origin")
struct OriginTests {
    @Test(
        "is read from a base URL",
        arguments: [
            ("https://api.openai.com/v1", "https", "api.openai.com", 443, "/v1", "api.openai.com"),
            ("http://127.0.0.1:9000", "http", "127.0.0.1", 9000, "", "127.0.0.1:9000"),
            ("HTTP://Example.COM:80/", "http", "example.com", 80, "", "example.com"),
            ("https://[::1]:8443/a/b/", "https", "::1", 8443, "/a/b", "[::1]:8443"),
            ("http://my_host", "http", "my_host", 80, "", "my_host"),
        ])
    func parses(
        url: String, scheme: String, host: String, port: UInt16, prefix: String, authority: String
    ) throws {
        let origin = try Origin(baseURL: url)
        #expect(origin.scheme.rawValue == scheme)
        #expect(origin.host == host)
        #expect(origin.port == port)
        #expect(origin.pathPrefix == prefix)
        #expect(origin.authority == authority)
    }

    @Test(
        "is refused where requests could go astray",
        arguments: [
            "", "api.openai.com", "ftp://host", "http:/host", "http://", "http://:80", "http://host:", "http://host:0",
            "http://host:65536", "http://host:+80", "http://user:secret@host", "http://host?key=secret", "http://host/#x",
            "http://ho st", "http://host/a b", "http://host\r\nX: y", "http://[::1", "http://[::1]x", "http://[host]",
            "http://[]", "http://hö.st", "http://host\\path", "http://a:b:1",
        ])
    func refuses(url: String) {
        let error = #expect(throws: ClientConfigurationError.self) { _ = try Origin(baseURL: url) }
        #expect(error?.description.contains("secret") == false)
    }

    @Test(
        "tells whether it is this machine",
        arguments: [
            ("http://localhost", true), ("http://127.1.2.3", true), ("http://[::1]", true), ("http://10.0.0.1", false),
            ("http://127.evil.example", false),
        ])
    func loopback(url: String, isLoopback: Bool) throws {
        #expect(try Origin(baseURL: url).isLoopback == isLoopback)
    }
}

@Suite("A request")
struct ClientRequestTests {
    private func text(_ request: ClientRequest, _ url: String = "http://host:81/v1") throws -> String {
        String(decoding: request.head(for: try Origin(baseURL: url)).encoded(request.body), as: UTF8.self)
    }

    @Test("is encoded with Host, its fields in order, and the length of its body")
    func encodes() throws {
        let request = try ClientRequest(
            .post, "/completions", fields: [("Authorization", "Bearer k"), ("Content-Type", "application/json")],
            body: Array("{}".utf8))
        #expect(
            try text(request) == """
                POST /v1/completions HTTP/1.1\r\nHost: host:81\r\nAuthorization: Bearer k\r\n\
                Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}
                """)
    }

    @Test("without a body says so only where one is expected")
    func emptyBody() throws {
        #expect(try text(ClientRequest(.get, "/models")) == "GET /v1/models HTTP/1.1\r\nHost: host:81\r\n\r\n")
        #expect(try text(ClientRequest(.post, "/x")).hasSuffix("Content-Length: 0\r\n\r\n"))
    }

    @Test(
        "is refused where it could forge a line or its framing",
        arguments: [
            ("/x", "Name", "secret\r\nEvil: 1"), ("/x", "Name", "secret\n"), ("/x", "Name", "secret\0"),
            ("/x", "Na me", "secret"), ("/x", "", "secret"), ("/x", "Name:", "secret"), ("/x", "Content-Length", "1"),
            ("/x", "transfer-encoding", "chunked"), ("/x", "Host", "secret"), ("x", "Name", "secret"),
            ("/x y", "Name", "secret"), ("/x\r\n", "Name", "secret"), ("/x#f", "Name", "secret"),
        ])
    func refuses(path: String, name: String, value: String) {
        let error = #expect(throws: ClientConfigurationError.self) {
            _ = try ClientRequest(.post, path, fields: [(name, value)])
        }
        #expect(error?.description.contains("secret") == false)
    }

    @Test("shows nothing of its fields when it is printed")
    func redacts() throws {
        let request = try ClientRequest(.post, "/x", fields: [("Authorization", "Bearer secret")])
        #expect("\(request)" == "POST /x, 0 bytes")
        #expect(!String(reflecting: request).contains("secret"))
        let template = request.head(for: try Origin(baseURL: "http://host"))
        #expect(!"\(template)\(String(reflecting: template))".contains("secret"))
    }
}
