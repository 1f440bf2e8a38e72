import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// What operators and their tools ask: liveness, readiness, metrics, and the contract itself.
final class OperationHandlers {
    private let readiness: Readiness
    private let metrics: PrometheusMetrics
    private let health = Response.json { $0.member("status", "ok") }

    init(readiness: Readiness, metrics: PrometheusMetrics) {
        self.readiness = readiness
        self.metrics = metrics
    }

    /// Alive: the process answers. Nothing else is asked, so that a database outage restarts nobody.
    func liveness(_ context: RequestContext) -> Response { health }

    /// Ready for requests: the schema is current, the database answers, revocations are loaded, and it is not draining.
    func ready(_ context: RequestContext) async throws -> Reply {
        if let obstacle = await readiness.obstacle() { throw obstacle }
        return .response(.json { $0.member("status", "ok") })
    }

    func exposition(_ context: RequestContext) -> Response {
        Response(
            status: .ok, fields: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: Array(metrics.render().utf8))
    }

    /// The contract, as clients are generated from.
    func contract(_ context: RequestContext) -> Response {
        Response(status: .ok, fields: [.contentType: "application/yaml; charset=utf-8"], body: PackageResources.openapi_yaml)
    }
}
