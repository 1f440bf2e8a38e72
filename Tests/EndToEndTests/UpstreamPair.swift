import Foundation
import StrictJSON
import TestSupport

/// Two simulated upstreams, `north` and `south`, named by a file.
enum UpstreamPair {
    static let headerSecret = "tenant-secret-of-a-header-42"

    /// A simulated upstream with a key of its own.
    struct Simulated: Sendable {
        let replica: Stack.Replica
        let key: String

        var url: String { "http://127.0.0.1:\(replica.port)/v1" }

        init(_ name: String) throws {
            key = "sk-\(name)-secret-key-of-its-own-0123456789"
            replica = try Stack.Replica(ChildProcess("UpstreamSimulator", ["--key", key]))
        }

        /// What it recorded of the requests whose directives name this id.
        func records(_ id: String) throws -> [JSONObject] {
            let answer = try replica.client().request("GET", "/_requests?id=\(id)")
            return try JSONValue(parsing: answer.body).array?.compactMap(\.object) ?? []
        }

        /// The body of the latest completion request.
        func lastBody() throws -> JSONValue {
            let last = try JSONValue(parsing: replica.client().request("GET", "/_last").body)
            guard let body = last["body"]?.string else { throw TestFailure("the upstream was not asked") }
            return try JSONValue(parsing: body)
        }

        /// The header fields of the latest completion request, by name in lower case.
        func lastHeaders() throws -> JSONObject {
            let last = try JSONValue(parsing: replica.client().request("GET", "/_last").body)
            return last["headers"]?.object ?? JSONObject()
        }
    }

    static func directory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "upstreams-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    /// Runs `body` with a server whose upstreams are those of the file that `listing` writes; keys lie beside it as `NAME-key`.
    /// Whatever is secret in it is told nowhere.
    static func with(
        _ variables: [String: String] = [:], listing: @Sendable (Simulated, Simulated) -> String,
        body: @escaping @Sendable (Stack, Simulated, Simulated) throws -> Void
    ) async throws {
        let directory = try directory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let (north, south) = try await offPool { (try Simulated("north"), try Simulated("south")) }
        defer { for upstream in [north, south] { upstream.replica.process.signal(SIGKILL) } }
        try Data("\(north.key)\n".utf8).write(to: directory.appending(path: "north-key"))
        let file = directory.appending(path: "upstreams.json")
        try Data(listing(north, south).utf8).write(to: file)
        let environment = [
            "UPSTREAMS_FILE": file.path, "UPSTREAM_URL": "", "UPSTREAM_API_KEY": "", "UPSTREAM_MODEL": "davinci-002",
        ]
        try await Stack.with(
            environment: environment.merging(variables) { $1 }, secrets: [north.key, south.key, headerSecret]
        ) { stack in
            try body(stack, north, south)
        }
    }
}
