import Testing

@testable import OIDC

@Suite("Where a log-in may end")
struct RedirectAllowListTests {
    private static let list = "https://app.example.com/done, com.example.app:/oauth\nhttp://127.0.0.1/cb http://[::1]:7000/cb?x=1"

    @Test(
        "is what was listed, byte for byte, on loopback addresses with any port",
        arguments: [
            ("https://app.example.com/done", true), ("https://app.example.com/done/", false),
            ("https://app.example.com/done?x=1", false),
            ("https://app.example.com:443/done", false), ("https://APP.example.com/done", false),
            ("https://app.example.com/done#x", false),
            ("http://app.example.com/done", false), ("https://app.example.com.evil.example/done", false),
            ("com.example.app:/oauth", true),
            ("com.example.app://oauth", false), ("http://127.0.0.1/cb", true), ("http://127.0.0.1:65535/cb", true),
            ("http://127.0.0.1:0/cb", false), ("http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1:80@evil.example/cb", false),
            ("http://127.0.0.1:/cb", false), ("http://127.0.0.1.evil.example/cb", false), ("http://localhost:80/cb", false),
            ("http://[::1]:9/cb?x=1", true), ("http://[::1]/cb?x=1", true), ("http://[::1]:9/cb", false), ("", false),
            ("https://app.example.com/done\r\nSet-Cookie: x", false), ("https://app.example.com/dön", false),
        ])
    func permissions(_ address: String, _ isPermitted: Bool) throws {
        #expect(try #require(RedirectAllowList(parsing: Self.list)).permits(address) == isPermitted)
    }

    @Test("is nowhere where nothing is listed")
    func nothing() {
        #expect(!RedirectAllowList().permits("https://app.example.com/done"))
        #expect(RedirectAllowList(parsing: " ,\n")?.isEmpty == true)
    }

    @Test("gets its answer in the query, escaped")
    func answers() {
        let items = [(name: "code", value: "a b&c=d+é/"), (name: "state", value: "~-._")]
        #expect(RedirectAllowList.adding(items, to: "app:/x") == "app:/x?code=a%20b%26c%3Dd%2B%C3%A9%2F&state=~-._")
        #expect(RedirectAllowList.adding([("a", "b")], to: "https://x.example/?y=z") == "https://x.example/?y=z&a=b")
    }
}
