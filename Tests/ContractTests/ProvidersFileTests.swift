import Foundation
import OIDC
import PlaygroundCore
import TestSupport
import Testing

@testable import APIServer

@Suite("Identity providers are configured by a file that is read strictly")
struct ProvidersFileTests {
    private static func read(_ text: String, allowsPlainLoopback: Bool = false, secret: String = "s3cret") throws -> EntriesFile<
        ProviderConfiguration
    > {
        let directory = FileManager.default.temporaryDirectory.appending(path: "providers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try secret.write(to: directory.appending(path: "secret"), atomically: true, encoding: .utf8)
        let file = directory.appending(path: "providers.json")
        try text.write(to: file, atomically: true, encoding: .utf8)
        return ProvidersFile.read(path: file.path, allowsPlainLoopback: allowsPlainLoopback)
    }

    private static func entry(_ changes: [String: String?] = [:]) -> String {
        var members: [String: String] = [
            "id": #""one""#, "display_name": #""One""#, "issuer": #""https://one.example""#, "client_id": #""us""#,
        ]
        for (name, value) in changes { members[name] = value }
        return "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }

    @Test("with what is usual where little is said")
    func defaults() throws {
        let file = try Self.read("{\"providers\":[\(Self.entry())]}")
        #expect(file.complaints == [])
        let provider = try #require(file.entries.first)
        #expect(provider.audiences == ["us"] && provider.scopes == ["openid", "email"] && provider.responseMode == .query)
        guard case .none = provider.credential else { throw TestFailure("a secret") }
    }

    @Test("with everything")
    func everything() throws {
        let text = Self.entry([
            "audiences": #"["us","app"]"#, "client_secret_file": #""secret""#, "scopes": #"["name"]"#,
            "response_mode": #""form_post""#, "issuer": #""http://127.0.0.1:9/x""#,
        ])
        let file = try Self.read("{\"providers\":[\(text)]}", allowsPlainLoopback: true)
        #expect(file.complaints == [])
        let provider = try #require(file.entries.first)
        #expect(
            provider.audiences == ["us", "app"] && provider.scopes == ["openid", "name"] && provider.responseMode == .formPost)
        guard case .secret(let secret) = provider.credential else { throw TestFailure("no secret") }
        #expect(secret.withBytes { String(decoding: $0, as: UTF8.self) } == "s3cret")
        #expect(file.files.readings.count == 2, "both are read again when they change")
    }

    @Test(
        "and every mistake is named by its path, without its value",
        arguments: [
            (["id": #""One!""#], "providers.0.id: may have"), (["id": nil], "providers.0.id: is required"),
            (["issuer": #""http://one.example""#], "providers.0.issuer: must begin with https://"),
            (["issuer": #""http://127.0.0.1""#], "OIDC_ALLOW_PLAIN_LOOPBACK"),
            (["issuer": #""https://one.example?x""#], "providers.0.issuer: must not have a query"),
            (["client_secret_file": #""nowhere""#], "providers.0.client_secret_file: names a file"),
            (
                ["client_secret": #""a""#, "client_secret_file": #""secret""#],
                "providers.0.client_secret_file: and client_secret are both"
            ),
            (["client_secret": #"" ""#], "providers.0.client_secret: is empty"),
            (["surprise": "1"], "providers.0.surprise: is not a member"),
            (["as3cret-1.X": "1"], "providers.0: has a member that it cannot have"),
            (["response_mode": #""fragment""#], "providers.0.response_mode: has to be one of: query, form_post"),
            (["scopes": #"["a b"]"#], "providers.0.scopes.0: has a character"),
            (["audiences": "[1]"], "providers.0.audiences.0: has to be"),
            (
                ["signed_secret": #"{"key_file":"secret","key_id":"k","issuer":"t","audience":"a"}"#],
                "providers.0.signed_secret.key_file: has to hold a private key"
            ),
            (["signed_secret": #"{"key_file":"secret"}"#], "providers.0.signed_secret.key_id: is required"),
        ] as [([String: String?], String)])
    func mistakes(_ changes: [String: String?], _ complaint: String) throws {
        let file = try Self.read("{\"providers\":[\(Self.entry(changes))]}")
        #expect(file.entries.isEmpty)
        #expect(file.complaints.contains { $0.hasPrefix("OIDC_PROVIDERS_FILE ") && $0.contains(complaint) }, "\(file.complaints)")
        #expect(!file.complaints.contains { $0.contains("s3cret") || $0.contains("One!") })
    }

    @Test(
        "and so are those of the file",
        arguments: [
            ("", "is not JSON"), ("[]", "has to be a JSON object"), ("{}", "providers: has to be an array"),
            (#"{"providers":[1]}"#, "providers.0: has to be an object"), (#"{"providers":[],"x":1}"#, "x: is not a member"),
        ])
    func files(_ text: String, _ complaint: String) throws {
        #expect(try Self.read(text).complaints.contains { $0.contains(complaint) })
    }

    @Test("and two have two ids")
    func ids() throws {
        let file = try Self.read("{\"providers\":[\(Self.entry()),\(Self.entry())]}")
        #expect(file.complaints == ["OIDC_PROVIDERS_FILE providers.1.id: is that of a provider before it"])
    }

    @Test(
        "with addresses of this API and of frontends that can be used",
        arguments: [
            (["PUBLIC_URL": "http://api.example.com"], "PUBLIC_URL"),
            (["PUBLIC_URL": "https://api.example.com/?x"], "PUBLIC_URL"),
            (["OIDC_REDIRECTS": "http://app.example.com/done"], "OIDC_REDIRECTS"),
            (["OIDC_REDIRECTS": "javascript:alert(1)"], "OIDC_REDIRECTS"),
            (["OIDC_REDIRECTS": "https://app.example.com/#x"], "OIDC_REDIRECTS"),
            (["OIDC_PROVIDERS_FILE": "/nowhere"], "PUBLIC_URL is not set"),
        ])
    func addresses(_ variables: [String: String], _ complaint: String) {
        var environment = Environment(variables)
        _ = Configuration.signIn(&environment)
        #expect(environment.complaints.contains { $0.contains(complaint) }, "\(environment.complaints)")
    }
}
