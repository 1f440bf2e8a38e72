import HTTPServer
import HTTPTypes
import PlaygroundCore

/// The whole API at a glance: method, path, handler. What is not marked open, or immediate (which
/// is open and waits for nothing), needs a session token; creating ones take an `Idempotency-Key`.
struct Routes {
    let sessions: SessionHandlers
    let recovery: RecoveryHandlers
    let listedSessions: ListedSessionHandlers
    let passwords: PasswordHandlers
    let presets: PresetHandlers
    let completions: CompletionHandlers
    let control: CompletionControlHandlers
    let limits: LimitHandlers
    let usage: UsageHandlers
    let info: InfoHandlers
    let operation: OperationHandlers
    let idempotency: IdempotentRequests

    var router: Router<Endpoint> {
        var router = Router<Endpoint>()
        open(.post, "/api/auth/register", sessions.register, &router)
        open(.post, "/api/auth/login", sessions.login, &router)
        open(.post, "/api/auth/refresh", sessions.refresh, &router)
        open(.post, "/api/auth/logout", sessions.logout, &router)
        open(.post, "/api/auth/password/forgot", recovery.forgot, &router)
        open(.post, "/api/auth/password/reset", recovery.reset, &router)
        open(.post, "/api/auth/email/verify", recovery.verify, &router)
        authenticated(.get, "/api/me", sessions.me, &router)
        authenticated(.post, "/api/me/password", passwords.change, &router)
        authenticated(.get, "/api/sessions", listedSessions.list, &router)
        authenticated(.delete, "/api/sessions/{id}", listedSessions.end, &router)
        authenticated(.post, "/api/sessions/end-others", listedSessions.endOthers, &router)

        authenticated(.get, "/api/presets", presets.list, &router)
        creating(.post, "/api/presets", presets.create, &router)
        authenticated(.get, "/api/presets/{id}", presets.read, &router)
        authenticated(.put, "/api/presets/{id}", presets.replace, &router)
        authenticated(.patch, "/api/presets/{id}", presets.patch, &router)
        authenticated(.delete, "/api/presets/{id}", presets.delete, &router)

        authenticated(.post, "/api/complete", completions.complete, &router)
        authenticated(.get, "/api/complete/{id}", control.status, &router)
        authenticated(.post, "/api/complete/{id}/stop", control.stop, &router)
        authenticated(.get, "/api/limits", limits.limits, &router)
        authenticated(.get, "/api/usage", usage.report, &router)
        authenticated(.get, "/api/models", info.models, &router)
        immediate(.get, "/api/info", info.info, &router)

        immediate(.get, "/healthz", operation.liveness, &router)
        open(.get, "/readyz", operation.ready, &router)
        immediate(.get, "/metrics", operation.exposition, &router)
        immediate(.get, "/openapi.yaml", operation.contract, &router)
        return router
    }

    private func immediate(
        _ method: HTTPRequest.Method, _ pattern: String,
        _ handler: @escaping (RequestContext) throws(ServiceError) -> Response, _ router: inout Router<Endpoint>
    ) {
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: .immediate(handler)))
    }

    private func open(
        _ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping (RequestContext) async throws -> Reply,
        _ router: inout Router<Endpoint>
    ) {
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: .open(handler)))
    }

    private func authenticated(
        _ method: HTTPRequest.Method, _ pattern: String,
        _ handler: @escaping (RequestContext, Principal) async throws -> Reply, _ router: inout Router<Endpoint>
    ) {
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: .authenticated(handler)))
    }

    private func creating(
        _ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping IdempotentRequests.Handler,
        _ router: inout Router<Endpoint>
    ) {
        let route = "\(method.rawValue) \(pattern)"
        authenticated(
            method, pattern,
            { [idempotency] in .response(try await idempotency.answer($0, $1, route: route, handler)) }, &router)
    }
}
