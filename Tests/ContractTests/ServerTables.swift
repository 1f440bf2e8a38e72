import Auth
import EventLoop
import Foundation
import HTTPServer
import HTTPTypes
import Logging
import PlaygroundCore
import Postgres
import Streaming
import TestSupport

@testable import APIServer

/// What the server itself says about its routes.
struct ServerRoute: Sendable, Hashable {
    let method: String
    /// Parameters as `{}`.
    let pattern: String
    let isOpen: Bool
    /// As `x-api-key-scope` has it; nil where no API key will do.
    let keyScope: String?

    /// The router of a server that was put together as the real one is. Nothing of it is reached over the network.
    static func all() async throws -> [ServerRoute] {
        let configuration = try Configuration(
            Environment([
                "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "UPSTREAM_URL": "http://127.0.0.1:1/v1",
                "UPSTREAM_API_KEY": "no-key", "SESSION_KEYS": "test:" + Data(repeating: 7, count: 32).base64EncodedString(),
            ]))
        return try await withLoop { loop in
            let shared = SharedServices(
                configuration: configuration, logger: Logger(label: "contract") { _ in SwiftLogNoOpLogHandler() },
                log: JSONLogHandler(label: "contract", level: .critical, sink: LogSink(descriptor: 2)),
                metrics: PrometheusMetrics(), process: IDSource().next(), hasher: PasswordHasher(), revoked: RevokedSessions(),
                draining: DrainingMark(),
                circuits: configuration.upstreams.map { _ in UpstreamCircuit() }, providers: [])
            let services = try LoopServices(shared, first: nil, on: loop)
            let router = Mirror(reflecting: services.responder).descendant("router") as? Router<Endpoint>
            await services.close()
            await services.database.close()
            guard let router else { throw TestFailure("the responder has no router any more") }
            return try router.table.map { method, pattern in
                guard case .endpoint(let endpoint, _) = router.match(method, path: pattern, segments: { pattern.segments }) else {
                    throw TestFailure("\(method) \(pattern) leads nowhere")
                }
                let (isOpen, keyScope): (Bool, String?) =
                    switch endpoint.handler {
                    case .immediate, .open, .crowded: (true, nil)
                    case .authenticated(.anybody, _), .direct(.anybody, _): (false, "any")
                    case .authenticated(.scope(let scope), _), .direct(.scope(let scope), _): (false, scope.rawValue)
                    case .authenticated(.session, _), .direct(.session, _): (false, nil)
                    }
                return ServerRoute(method: method.rawValue, pattern: pattern, isOpen: isOpen, keyScope: keyScope)
            }
        }
    }
}

extension String {
    fileprivate var segments: [String] { split(separator: "/").map(String.init) }

    /// With `{parameters}` made nameless.
    var nameless: String { replacing(/\{[^}]*\}/, with: "{}") }
}
