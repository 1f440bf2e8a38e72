import Foundation
import HTTPClient
import PlaygroundCore
import Streaming
import TestSupport
import Testing

@testable import APIServer

@Suite("Upstreams are configured by variables, or by a file that is read strictly")
struct UpstreamsFileTests {
    /// Stands in every file of these tests where something secret may stand, and in no complaint.
    private static let secret = "sk-topsecretvalue-0123456789"

    @Test("a file says everything about each upstream; what it leaves out comes from the variables")
    func wholeFile() throws {
        let configuration = try Self.configuration(
            """
            {"upstreams": [
              {"name": "own", "url": "http://10.0.0.7:8000/v1/", "key": " \(Self.secret)\\n", "models": ["llama", "phi"],
               "priority": 3, "headers": {"X-Team": "\(Self.secret)", "Cookie": "a=b"},
               "timeouts": {"connect": 0.25, "first_byte": 30, "first_token": 31.5, "silence": 32, "total": 33},
               "include_usage": true, "continuous_usage": true, "refused_parameters": ["suffix", "seed"]},
              {"name": "chat.2_b-C", "url": "https://api.openai.com/v1", "kind": "chat", "include_usage": false,
               "requests_per_minute": 90, "tokens_per_minute": 1000000000,
               "headers": {"Authorization": "Basic \(Self.secret)"}, "timeouts": {"silence": 7}}
            ]}
            """,
            ["UPSTREAM_MODEL": "phi", "UPSTREAM_CONNECT_TIMEOUT": "2", "UPSTREAM_SILENCE_TIMEOUT": "3"])
        #expect(configuration.upstreams.count == 2)
        let own = configuration.upstreams[0]
        #expect(
            own.description
                == UpstreamDescription(
                    name: "own", models: ["llama", "phi"], priority: 3, refusedParameters: ["suffix", "seed"],
                    tellsUsageContinuously: true, firstTokenTimeout: .milliseconds(31_500), silenceTimeout: .seconds(32),
                    totalTimeout: .seconds(33)))
        #expect(try own.origin == Origin(baseURL: "http://10.0.0.7:8000/v1"))
        #expect(own.key?.withBytes { String(decoding: $0, as: UTF8.self) } == Self.secret)
        #expect(own.headers.map(\.name) == ["X-Team", "Cookie"])
        #expect(own.headers.map(\.value) == [Self.secret, "a=b"])
        #expect(own.timeouts.connect == .milliseconds(250))
        #expect(own.timeouts.firstByte == .seconds(30))
        #expect(own.description.silenceTimeout == .seconds(32))
        #expect(own.description.totalTimeout == .seconds(33))
        #expect(own.description.requestsPerMinute == nil)
        let chat = configuration.upstreams[1]
        #expect(chat.description.requestsPerMinute == 90)
        #expect(chat.description.tokensPerMinute == 1_000_000_000)
        #expect(chat.description.kind == .chat)
        #expect(chat.description.models == nil)
        #expect(!chat.description.tellsUsage)
        #expect(chat.key == nil)
        #expect(chat.timeouts.connect == .seconds(2))
        #expect(chat.timeouts.firstByte == .seconds(60))
        #expect(chat.description.silenceTimeout == .seconds(7))
        #expect(configuration.longestTimeouts.connect == .seconds(2))
        #expect(configuration.longestTimeouts.silence == .seconds(32))
        #expect(configuration.longestTimeouts.total == .seconds(600))
        for shown in [String(describing: configuration), String(reflecting: configuration), "\(own)"] + [
            Self.dumped(configuration)
        ] {
            #expect(!shown.contains(Self.secret))
        }
    }

    @Test("every bad member of every upstream is named by its path, all at once; no value is repeated")
    func everyBadMemberIsNamed() {
        let complaints = Self.complaints(
            """
            {"upstreams": [
              {"name": "a b", "url": "ftp://\(Self.secret)", "kind": "\(Self.secret)", "key": "\(Self.secret)\\r\\nX: y",
               "models": [], "priority": -1, "headers": {"Host": "\(Self.secret)", "x-a": "\(Self.secret)\\nb", "X-A": "",
                 "Accept": "\(Self.secret)", "Authorization: \(Self.secret)": "", "authorization": "\(Self.secret)", "x-b": 1},
               "timeouts": {"connect": 0, "first_byte": "\(Self.secret)", "first_token": 1e400, "silence": 3601, "total": -1,
                 "read": 1}, "include_usage": 1, "continuous_usage": "yes", "refused_parameters": ["seed", "model", 3],
               "requests_per_minute": 0, "tokens_per_minute": 1000000001, "retries": 3},
              "\(Self.secret)",
              {"url": "https://user:\(Self.secret)@host/", "key": "\(Self.secret)", "key_file": "\(Self.secret)",
               "models": ["", 7], "include_usage": false, "continuous_usage": true},
              {"name": "twin", "url": "http://h", "key_file": "\(Self.secret)"},
              {"name": "twin", "url": "http://h"}, {"name": "twin", "url": "http://h"},
              {"name": "\(String(repeating: "n", count: 65))", "url": "http://h", "headers": [1], "timeouts": 5, "key": " "}
            ], "version": 1}
            """)
        let expected = [
            "version",
            "upstreams.0.name", "upstreams.0.url", "upstreams.0.kind", "upstreams.0.key", "upstreams.0.models",
            "upstreams.0.priority", "upstreams.0.headers.Host", "upstreams.0.headers.x-a", "upstreams.0.headers.X-A",
            "upstreams.0.headers.Accept", "upstreams.0.headers", "upstreams.0.headers.authorization",
            "upstreams.0.headers.x-b", "upstreams.0.timeouts.connect", "upstreams.0.timeouts.first_byte",
            "upstreams.0.timeouts.first_token", "upstreams.0.timeouts.silence", "upstreams.0.timeouts.total",
            "upstreams.0.timeouts.read", "upstreams.0.include_usage", "upstreams.0.continuous_usage",
            "upstreams.0.refused_parameters.1", "upstreams.0.refused_parameters.2", "upstreams.0.requests_per_minute",
            "upstreams.0.tokens_per_minute", "upstreams.0.retries",
            "upstreams.1",
            "upstreams.2.name", "upstreams.2.url", "upstreams.2.key_file", "upstreams.2.models.0", "upstreams.2.models.1",
            "upstreams.2.continuous_usage",
            "upstreams.3.key_file", "upstreams.5.name",
            "upstreams.6.name", "upstreams.6.headers", "upstreams.6.timeouts", "upstreams.6.key",
        ]
        for path in expected {
            #expect(complaints.contains { $0.hasPrefix("UPSTREAMS_FILE \(path): ") }, "\(path)")
        }
        #expect(complaints.count == expected.count, "\(complaints)")
        for complaint in complaints { #expect(!complaint.contains("topsecret"), "\(complaint)") }
    }

    @Test(
        "a file that is none, or lists nothing, is refused",
        arguments: [
            ("", "is not JSON"), ("{", "is not JSON"), ("[]", "has to be a JSON object"), ("{}", "upstreams: "),
            (#"{"upstreams":{}}"#, "upstreams: "), (#"{"upstreams":[]}"#, "upstreams: "), (#"{"upstreams":"x"}"#, "upstreams: "),
            (#"{"upstreams":[],"upstreams":[]}"#, "is not JSON"),
            (#"{"upstreams":[{"name":"a","name":"b","url":"http://h"}]}"#, "is not JSON"),
            (
                "{\"upstreams\":[" + [String](repeating: "{}", count: 17).joined(separator: ",") + "]}",
                "upstreams: may have at most 16"
            ),
            (#"{"upstreams":[]}"# + String(repeating: " ", count: 262_144), "has more than 262144 bytes"),
        ])
    func noFile(text: String, phrase: String) {
        let complaints = Self.complaints(text)
        #expect(complaints.contains { $0.hasPrefix("UPSTREAMS_FILE") && $0.contains(phrase) }, "\(complaints)")
    }

    @Test("a file that is not there, and a directory, are refused", arguments: ["/none/such", "/tmp"])
    func unreadable(path: String) {
        let complaints = Self.complaints { try Configuration(Environment(Self.variables(["UPSTREAMS_FILE": path]))) }
        #expect(complaints.contains { $0.hasPrefix("UPSTREAMS_FILE names \(path)") }, "\(complaints)")
    }

    @Test(
        "a secret in the place of a file's name, or of a member's, is not repeated",
        arguments: [
            ["UPSTREAMS_FILE": #"{"upstreams":[{"key":"sk-topsecret1"}]}"#], ["UPSTREAM_API_KEY_FILE": "sk-topsecret1"],
            ["DATABASE_URL_FILE": "postgres://u:topsecret@h/d"], ["SESSION_KEYS_FILE": "k1:topsecret"],
            ["SMTP_PASSWORD_FILE": "topsecret"], ["OIDC_PROVIDERS_FILE": #"[{"client_secret":"topsecret"}]"#],
        ])
    func misplaced(variables: [String: String]) {
        let complaints = Self.complaints { try Configuration(Environment(variables)) }
        #expect(complaints.contains { $0.hasPrefix("\(variables.keys.first ?? "") names something") }, "\(complaints)")
        for complaint in complaints + Self.complaints(#"{"sk-topsecret1":1,"upstreams":[{"sk-topsecret1":1}]}"#) {
            #expect(!complaint.contains("topsecret"), "\(complaint)")
        }
    }

    @Test(
        "beside a file nothing may be said about the one upstream",
        arguments: [
            ("UPSTREAM_URL", "http://h"), ("UPSTREAM_API_KEY", secret), ("UPSTREAM_API_KEY_FILE", "/none"),
            ("UPSTREAM_KIND", "chat"), ("UPSTREAM_REQUESTS_PER_MINUTE", "5"), ("UPSTREAM_TOKENS_PER_MINUTE", "5"),
        ])
    func fileAndVariables(name: String, value: String) {
        let complaints = Self.complaints(#"{"upstreams":[{"name":"a","url":"http://h"}]}"#, [name: value])
        #expect(complaints.count == 1)
        #expect(complaints.first?.contains(name) == true && complaints.first?.contains("UPSTREAMS_FILE") == true)
        #expect(complaints.first?.contains("topsecret") == false)
    }

    @Test("a key file is looked for beside the file")
    func keyFile() throws {
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data("\(Self.secret)\n".utf8).write(to: directory.appending(path: "key"))
        for path in ["key", "./key", directory.appending(path: "key").path] {
            let text = #"{"upstreams":[{"name":"a","url":"http://h","key_file":"\#(path)"}]}"#
            let configuration = try Self.configuration(text, in: directory)
            #expect(configuration.upstreams[0].key?.withBytes { String(decoding: $0, as: UTF8.self) } == Self.secret)
        }
    }

    @Test("the README's example is one that a server starts with")
    func readmeExample() throws {
        let readme = try String(contentsOf: APIContract.projectDirectory.appending(path: "README.md"), encoding: .utf8)
        let example = try #require(readme.firstMatch(of: /```json\n(?<text>\{"upstreams"[^`]*)```/)?.output.text)
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data(Self.secret.utf8).write(to: directory.appending(path: "hosted-key"))
        let configuration = try Self.configuration(String(example), ["UPSTREAM_MODEL": "llama-3.3-70b"], in: directory)
        #expect(configuration.upstreams.map(\.description.kind) == [.completion, .chat])
        #expect(configuration.models.allowed == ["llama-3.3-70b", "gpt-5-mini"])
    }

    @Test("what the file lists may be named, unless ALLOWED_MODELS says otherwise")
    func allowedModels() throws {
        let listing = """
            {"upstreams":[{"name":"a","url":"http://h","models":["x","y"]},{"name":"b","url":"http://h","models":["y","z"]}]}
            """
        let listed = try Self.configuration(listing, ["UPSTREAM_MODEL": "z"]).models
        #expect(listed == ModelPolicy(defaultModel: "z", allowed: ["x", "y", "z"]))
        let some = try Self.configuration(listing, ["UPSTREAM_MODEL": "z", "ALLOWED_MODELS": "y, x"]).models
        #expect(some == ModelPolicy(defaultModel: "z", allowed: ["x", "y"]))
        let any = try Self.configuration(listing, ["UPSTREAM_MODEL": "z", "ALLOWED_MODELS": "*"]).models
        #expect(any == ModelPolicy(defaultModel: "z", allowed: nil))

        let unknown = Self.complaints(listing, ["UPSTREAM_MODEL": "q", "ALLOWED_MODELS": "x,r,s"])
        #expect(unknown.count == 3)
        for (index, name) in ["UPSTREAM_MODEL is q", "ALLOWED_MODELS has r", "ALLOWED_MODELS has s"].enumerated() {
            #expect(unknown.indices.contains(index) && unknown[index].hasPrefix(name), "\(unknown)")
        }
        // One that has whatever is asked for has these too, but lists nothing.
        let open = #"{"upstreams":[{"name":"a","url":"http://h","models":["x"]},{"name":"b","url":"http://h"}]}"#
        let policy = try Self.configuration(open, ["UPSTREAM_MODEL": "q"]).models
        #expect(policy == ModelPolicy(defaultModel: "q", allowed: ["q", "x"]))
    }

    @Test("without a file the variables say how long the one upstream may take, and what it speaks")
    func variables() throws {
        let single = ["UPSTREAM_API_KEY": Self.secret, "UPSTREAM_URL": "http://h"]
        let usual = try Configuration(Environment(Self.variables(single)))
        #expect(usual.upstreams.count == 1)
        #expect(usual.longestTimeouts == UpstreamTimeouts())
        #expect(usual.upstreams[0].description == UpstreamDescription())
        let names = ["CONNECT", "FIRST_BYTE", "FIRST_TOKEN", "SILENCE", "TOTAL"]
        let times = Dictionary(uniqueKeysWithValues: names.enumerated().map { ("UPSTREAM_\($1)_TIMEOUT", "\($0 + 1).5") })
        let given = try Configuration(
            Environment(Self.variables(single.merging(times) { $1 }.merging(["UPSTREAM_KIND": "chat"]) { $1 })))
        #expect(given.upstreams[0].description.kind == .chat)
        #expect(given.upstreams[0].description.firstTokenTimeout == .milliseconds(3500))
        #expect(given.upstreams[0].description.silenceTimeout == .milliseconds(4500))
        #expect(given.upstreams[0].description.totalTimeout == .milliseconds(5500))
        #expect(given.upstreams[0].timeouts.connect == .milliseconds(1500))
        #expect(given.upstreams[0].timeouts.firstByte == .milliseconds(2500))
        for (name, values) in times.map({ ($0.key, ["0", "-1", "nan", "1e9", "soon"]) }) + [("UPSTREAM_KIND", ["image"])] {
            for value in values {
                let complaints = Self.complaints {
                    try Configuration(Environment(Self.variables(single.merging([name: value]) { $1 })))
                }
                #expect(complaints.count == 1 && complaints.first?.hasPrefix(name) == true, "\(name)=\(value): \(complaints)")
            }
        }
    }

    @Test("a key that cannot stand in a request stops the start, and is not told")
    func unsendableKey() {
        let complaints = Self.complaints {
            try Configuration(Environment(Self.variables(["UPSTREAM_API_KEY": "\(Self.secret)\u{1}x"])))
        }
        #expect(complaints.count == 1)
        #expect(complaints.first?.hasPrefix("UPSTREAM_API_KEY") == true)
        #expect(complaints.first?.contains("topsecret") == false)
    }

    // MARK: Files

    private static func variables(_ more: [String: String]) -> [String: String] {
        [
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
            "SESSION_KEYS": "test:" + Data(repeating: 7, count: 32).base64EncodedString(),
        ].merging(more) { $1 }
    }

    private static func directory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "upstreams-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    private static func configuration(
        _ text: String, _ more: [String: String] = [:], in directory: URL? = nil
    ) throws -> Configuration {
        let folder = try directory ?? Self.directory()
        defer { if directory == nil { try? FileManager.default.removeItem(at: folder) } }
        let file = folder.appending(path: "upstreams.json")
        try Data(text.utf8).write(to: file)
        return try Configuration(Environment(variables(["UPSTREAMS_FILE": file.path].merging(more) { $1 })))
    }

    private static func complaints(_ text: String, _ more: [String: String] = [:]) -> [String] {
        complaints { try configuration(text, more) }
    }

    private static func complaints(of attempt: () throws -> Configuration) -> [String] {
        #expect(throws: ConfigurationError.self) { try attempt() }?.complaints ?? []
    }

    private static func dumped(_ value: Any) -> String {
        var text = ""
        dump(value, to: &text)
        return text
    }
}
