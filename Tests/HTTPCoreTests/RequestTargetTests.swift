import HTTPCore
import HTTPTypes
import Testing

@Suite("Targets: forms, path segments, query items, authority")
struct RequestTargetTests {
    private func parse(_ target: String, _ method: String = "GET", host: String = "a") throws -> (RequestHead, [UInt8]) {
        let bytes = Array("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
        var parser = RequestParser()
        return (try #require(try parser.parse(bytes.span)), bytes)
    }

    @Test(
        "a path is split at slashes, then decoded once",
        arguments: [
            ("/", []),
            ("/a", ["a"]),
            ("/a/", ["a", ""]),
            ("//a", ["", "a"]),
            ("/api/presets/0190a0b1-0000-7000-8000-000000000001", ["api", "presets", "0190a0b1-0000-7000-8000-000000000001"]),
            ("/a%2Fb/c", ["a/b", "c"]),
            ("/%25%32%35", ["%25"]),
            ("/a+b", ["a+b"]),
            ("/%e2%82%AC", ["€"]),
            ("/../%2e%2e/.", ["..", "..", "."]),
            ("/a?b/c", ["a"]),
            ("/~user:@!$&'()*,;=", ["~user:@!$&'()*,;="]),
        ])
    func segments(_ target: String, _ segments: [String]) throws {
        let (head, bytes) = try parse(target)
        #expect(try head.target.pathSegments(in: bytes.span) == segments)
    }

    @Test("an escape that is not UTF-8 is refused", arguments: ["/%ff", "/%c0%af", "/%ed%a0%80", "/a/%e2%82"])
    func invalidText(_ target: String) throws {
        let (head, bytes) = try parse(target + "?q=" + target.dropFirst())
        #expect(throws: HTTPParseError.invalidTarget) { try head.target.pathSegments(in: bytes.span) }
        #expect(throws: HTTPParseError.invalidTarget) { try head.target.queryItems(in: bytes.span) }
    }

    @Test("a query's items keep their order, repeated and empty ones too")
    func query() throws {
        let (head, bytes) = try parse("/p?limit=10&cursor=a%3Db==&q=a+b%2Bc&flag&=x&&limit=?/&n%C3%A4me=%26")
        let items = try head.target.queryItems(in: bytes.span)
        let wanted = [
            ("limit", "10"), ("cursor", "a=b=="), ("q", "a b+c"), ("flag", ""), ("", "x"), ("limit", "?/"), ("näme", "&"),
        ]
        #expect(items == wanted.map { QueryItem(name: $0.0, value: $0.1) })
        let (bare, bareBytes) = try parse("/p")
        #expect(bare.target.query == nil)
        #expect(try bare.target.queryItems(in: bareBytes.span).isEmpty)
        let (empty, emptyBytes) = try parse("/p?")
        #expect(empty.target.query?.isEmpty == true)
        #expect(try empty.target.queryItems(in: emptyBytes.span).isEmpty)
    }

    @Test("an absolute target brings its own authority, which goes before Host")
    func absolute() throws {
        let (head, bytes) = try parse("HTTP://Example.com:80/x?y", host: "other")
        #expect(head.target.form == .absolute)
        #expect(head.authority?.string(in: bytes.span) == "Example.com:80")
        #expect(head.host?.string(in: bytes.span) == "other")
        #expect(try head.target.pathSegments(in: bytes.span) == ["x"])
        let (bare, bareBytes) = try parse("https://[::1]?q")
        #expect(bare.target.path.isEmpty)
        #expect(try bare.target.pathSegments(in: bareBytes.span).isEmpty)
        #expect(bare.target.query?.string(in: bareBytes.span) == "q")
        let (origin, originBytes) = try parse("/http://x/")
        #expect(origin.target.form == .origin)
        #expect(origin.authority?.string(in: originBytes.span) == "a")
    }

    @Test("an asterisk has neither path nor query")
    func asterisk() throws {
        let (head, bytes) = try parse("*", "OPTIONS")
        #expect(head.target.form == .asterisk)
        #expect(try head.target.pathSegments(in: bytes.span).isEmpty)
    }

    @Test(
        "hosts that are accepted",
        arguments: [
            "a", "localhost", "foo-bar_baz.com", "1.2.3.4", "0.0.0.0=5000", "a:", "a:0", "a:65535", "[::1]", "[::1]:80", "[::]",
            "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:1.2.3.4]", "[::ffff:1.2.3.4]", "[1::]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]",
            "b%C3%A4r", "a.", "!$&'()*+;=~",
        ])
    func hosts(_ host: String) throws {
        let (head, bytes) = try parse("/", host: host)
        #expect(head.host?.string(in: bytes.span) == host)
    }

    @Test(
        "hosts that are refused",
        arguments: [
            "", ":80", "a b", "a,b", "a, b", "u@a", "a/b", "a?b", "a#b", "{", "}", "a:b", "a:65536", "a:-1", "a:080000", "::1",
            "a:1:2",
            "[", "[]", "[::1", "[::1]a", "[::1]80", "[::1%25en0]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:::]",
            "[12345::]", "[g::]", "[:1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:]", "[1:2:3:4:5:6:7:1.2.3.4]", "[::1.2.3]", "[::256.1.1.1]",
            "[::01.2.3.4]", "[v1.a]", "%", "%4", "%zz", "a%00", "a%20b", "a\\b", "a\"", "\u{e9}", "[1:2:3:4:5:6:7:8::]",
        ])
    func badHosts(_ host: String) {
        #expect(throws: HTTPParseError.hostInvalid) { try parse("/", host: host) }
    }
}
