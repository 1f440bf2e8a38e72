import Dispatch
import Foundation
import PlaygroundCore
import StrictJSON
import Synchronization
import TestSupport

/// A system with an identity provider that is not ours, and browsers that people log in with.
struct IdentityScene: Sendable {
    /// So many at one time: each provider is a second of computing before it listens.
    private static let places = DispatchSemaphore(value: 2)
    static let redirect = "http://127.0.0.1:41234/done"

    let stack: Stack
    /// Port of the provider; where its issuer speaks TLS, the one at which it speaks plainly to browsers.
    let port: UInt16

    /// - Parameters:
    ///   - options: of the provider's program.
    ///   - client: further members of its entry in the configuration, JSON without braces.
    static func with(
        replicas: Int = 1, options: [String] = [], client: String = #""client_secret":"provider-client-secret""#,
        environment: [String: String] = [:], _ body: @escaping @Sendable (IdentityScene) throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "identity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (process, port, own) = try await offPool { () throws -> (ChildProcess, UInt16, UInt16) in
            places.wait()
            do {
                let process = try PythonTool.start("identity_provider.py", options)
                try process.waitForLine(containing: "listening on", deadline: .seconds(60))
                return (process, try Stack.Replica(process).port, try freePort())
            } catch {
                places.signal()
                throw error
            }
        }
        defer {
            process.signal(SIGKILL)
            places.signal()
        }
        let secure = process.lines.first { $0.hasPrefix("TLS on ") }
        let issuer = secure.map { String($0.dropFirst("TLS on ".count)) } ?? "http://127.0.0.1:\(port)"
        let file = directory.appending(path: "providers.json")
        try """
        {"providers":[{"id":"example","display_name":"Example","issuer":"\(issuer)","client_id":"playground",\(client)}]}
        """.write(to: file, atomically: true, encoding: .utf8)
        let variables = [
            "OIDC_PROVIDERS_FILE": file.path, "OIDC_ALLOW_PLAIN_LOOPBACK": "1", "OIDC_REDIRECTS": "http://127.0.0.1/done",
            "PUBLIC_URL": "http://127.0.0.1:\(own)", "HTTP_PORT": "\(own)",
        ].merging(environment) { $1 }
        try await Stack.with(users: 0, environment: variables, secrets: ["provider-client-secret"]) { stack in
            for _ in 1..<max(2, replicas) where replicas > 1 { try stack.startReplica(["HTTP_PORT": "0"]) }
            try body(IdentityScene(stack: stack, port: port))
        }
    }

    func browser() -> Browser { Browser(scene: self) }

    /// What the provider says of a person.
    func setPerson(_ subject: String, _ claims: String) throws {
        let answer = try http(
            "PUT", "http://127.0.0.1:\(port)/users/\(subject)", ["Content-Type": "application/json"], body: claims)
        guard answer.status == 204 else { throw TestFailure("\(answer.status) \(answer.text)") }
    }

    @discardableResult
    func control(_ method: String, _ what: String) throws -> JSONValue {
        let answer = try http(method, "http://127.0.0.1:\(port)/test/\(what)")
        return answer.body.isEmpty ? .null : try JSONValue(parsing: answer.body)
    }

    /// A code for a session.
    func exchange(_ code: String, _ verifier: String, on replica: Stack.Replica? = nil) throws -> RawClient.Response {
        try stack.ask(
            "POST", "/api/auth/oidc/token", ["Content-Type": "application/json"],
            body: #"{"code":"\#(code)","code_verifier":"\#(verifier)"}"#, on: replica)
    }
}

/// One request, its Host as in the address.
func http(
    _ method: String, _ address: String, _ fields: [String: String] = [:], body: String? = nil
) throws -> RawClient.Response {
    guard let url = URL(string: address), let port = url.port.flatMap({ UInt16(exactly: $0) }),
        let authority = address.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).dropFirst(2).first
    else { throw TestFailure("not an address: \(address)") }
    let target = authority.drop { $0 != "/" && $0 != "?" }
    var text = "\(method) \(target.isEmpty ? "/" : target) HTTP/1.1\r\nHost: \(url.host ?? ""):\(port)\r\nConnection: close\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    let client = try RawClient(port: port)
    try client.send(text + "\r\n" + (body ?? ""))
    return try client.readResponse()
}

/// A person's browser: it follows redirects and forms, and keeps cookies by host, as browsers do, whatever the port.
final class Browser: Sendable {
    let verifier = UUID().uuidString + UUID().uuidString
    private let scene: IdentityScene
    private let cookies = Mutex<[String: String]>([:])

    init(scene: IdentityScene) { self.scene = scene }

    /// What a frontend would send the browser off with.
    func startAddress(_ changes: [String: String?] = [:]) -> String {
        var items: [String: String] = [
            "redirect_uri": IdentityScene.redirect, "state": "frontend-state", "code_challenge": Self.challenge(of: verifier),
            "code_challenge_method": "S256",
        ]
        for (name, value) in changes { items[name] = value }
        return "http://127.0.0.1:\(scene.stack.server.port)/api/auth/oidc/example/start?" + Self.query(items)
    }

    /// Goes to the provider's page; its address.
    func begin() throws -> String {
        let answer = try request("GET", startAddress())
        guard answer.status == 303, let location = answer.head["location"] else {
            throw TestFailure("start: \(answer.status) \(answer.text)")
        }
        return location
    }

    /// Says yes or no at the provider; what comes back to us, not sent yet.
    func decide(_ page: String, as subject: String? = "ann") throws -> Callback {
        let answer = try request(
            "POST", page, ["Content-Type": "application/x-www-form-urlencoded"],
            body: subject.map { Self.query(["sub": $0]) } ?? "action=deny")
        if let location = answer.head["location"] { return Callback(address: location, form: nil) }
        let address = answer.text.firstMatch(of: /action="([^"]+)"/).map { String($0.1) }
        guard let address else { throw TestFailure("the provider: \(answer.status) \(answer.text.prefix(300))") }
        let fields = answer.text.matches(of: /name="([^"]+)" value="([^"]*)"/).map { (String($0.1), String($0.2)) }
        return Callback(address: address, form: Dictionary(uniqueKeysWithValues: fields))
    }

    /// Comes back; where the frontend is called.
    func comeBack(_ callback: Callback, on replica: Stack.Replica? = nil) throws -> RawClient.Response {
        let address = replica.map {
            callback.address.replacing(/127\.0\.0\.1:\d+/, with: "127.0.0.1:\($0.port)", maxReplacements: 1)
        }
        guard let form = callback.form else { return try request("GET", address ?? callback.address) }
        return try request(
            "POST", address ?? callback.address, ["Content-Type": "application/x-www-form-urlencoded"], body: Self.query(form))
    }

    /// All of it, to the frontend's parameters.
    func logIn(as subject: String = "ann") throws -> [String: String] {
        try Self.frontend(comeBack(decide(begin(), as: subject)))
    }

    /// All of it, to the answer with the session.
    func session(as subject: String = "ann") throws -> RawClient.Response {
        let answer = try logIn(as: subject)
        guard let code = answer["code"] else { throw TestFailure("no code: \(answer)") }
        return try scene.exchange(code, verifier)
    }

    func forgetCookies() { cookies.withLock { $0 = [:] } }

    func request(
        _ method: String, _ address: String, _ fields: [String: String] = [:], body: String? = nil
    ) throws -> RawClient.Response {
        var fields = fields
        let kept = cookies.withLock { $0 }
        if !kept.isEmpty { fields["Cookie"] = kept.map { "\($0)=\($1)" }.joined(separator: "; ") }
        let answer = try http(method, address, fields, body: body)
        for field in answer.head.fields where field.name.lowercased() == "set-cookie" {
            let pair = field.value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(String.init)
            if pair.count == 2 { cookies.withLock { $0[pair[0]] = pair[1] } }
        }
        return answer
    }

    /// What comes back from a provider by way of the browser.
    struct Callback: Sendable {
        var address: String
        var form: [String: String]?

        subscript(name: String) -> String {
            get { form?[name] ?? Browser.items(address)[name] ?? "" }
            set {
                if form != nil {
                    form?[name] = newValue
                } else {
                    var items = Browser.items(address)
                    items[name] = newValue
                    address = address.prefix { $0 != "?" } + "?" + Browser.query(items)
                }
            }
        }
    }

    // MARK: Forms of text

    /// What a frontend is called with.
    static func frontend(_ answer: RawClient.Response) throws -> [String: String] {
        guard answer.status == 303, let location = answer.head["location"], location.hasPrefix(IdentityScene.redirect + "?")
        else {
            throw TestFailure("not back at the frontend: \(answer.status) \(answer.text)")
        }
        return items(location)
    }

    static func challenge(of verifier: String) -> String { Base64.url.encode(SHA256Digest(of: Array(verifier.utf8).span).bytes) }

    static func items(_ address: String) -> [String: String] {
        let items = URLComponents(string: address)?.queryItems ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { $1 }
    }

    static func query(_ items: [String: String]) -> String {
        let plain = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        return items.map { "\($0)=\($1.addingPercentEncoding(withAllowedCharacters: plain) ?? "")" }.joined(separator: "&")
    }
}
