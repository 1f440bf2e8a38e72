import HTTPServer
import HTTPTypes
import PlaygroundCore

/// The whole API at a glance: method, path, handler, and what an API key has to be good for. What is not marked open, or immediate
/// (which is open and waits for nothing), needs a session token; a key does instead where the last column says so, with the scope
/// it names. Creating ones take an `Idempotency-Key`.
struct Routes {
    let sessions: SessionHandlers
    let keys: KeyHandlers
    let recovery: RecoveryHandlers
    let account: AccountHandlers
    let listedSessions: ListedSessionHandlers
    let passwords: PasswordHandlers
    let identities: IdentityHandlers
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
        crowded(.post, "/api/auth/register", sessions.register, &router)
        crowded(.post, "/api/auth/login", sessions.login, &router)
        open(.post, "/api/auth/refresh", sessions.refresh, &router)
        open(.post, "/api/auth/logout", sessions.logout, &router)
        open(.post, "/api/auth/password/forgot", recovery.forgot, &router)
        open(.post, "/api/auth/password/reset", recovery.reset, &router)
        open(.post, "/api/auth/email/verify", recovery.verify, &router)
        authenticated(.get, "/api/me", sessions.me, &router, for: .anybody)
        authenticated(.delete, "/api/me", account.delete, &router)
        authenticated(.post, "/api/me/email", account.changeEmail, &router)
        authenticated(.get, "/api/me/export", account.export, &router)
        authenticated(.post, "/api/me/password", passwords.change, &router)
        authenticated(.get, "/api/sessions", listedSessions.list, &router)
        authenticated(.delete, "/api/sessions/{id}", listedSessions.end, &router)
        authenticated(.post, "/api/sessions/end-others", listedSessions.endOthers, &router)

        immediate(.get, "/api/auth/providers", identities.providers, &router)
        open(.get, "/api/auth/oidc/{provider}/start", identities.start, &router)
        open(.get, "/api/auth/oidc/{provider}/callback", identities.callback, &router)
        open(.post, "/api/auth/oidc/{provider}/callback", identities.callbackForm, &router)
        open(.post, "/api/auth/oidc/{provider}/token", identities.nativeSignIn, &router)
        open(.post, "/api/auth/oidc/token", identities.exchange, &router)
        authenticated(.get, "/api/me/identities", identities.list, &router)
        creating(.post, "/api/me/identities", identities.link, &router)
        authenticated(.delete, "/api/me/identities/{id}", identities.unlink, &router)

        authenticated(.get, "/api/keys", keys.list, &router)
        authenticated(.post, "/api/keys", keys.create, &router)
        authenticated(.get, "/api/keys/{id}", keys.read, &router)
        authenticated(.delete, "/api/keys/{id}", keys.revoke, &router)

        authenticated(.get, "/api/presets", presets.list, &router, for: .scope(.presets))
        creating(.post, "/api/presets", presets.create, &router, for: .scope(.presets))
        authenticated(.get, "/api/presets/{id}", presets.read, &router, for: .scope(.presets))
        authenticated(.put, "/api/presets/{id}", presets.replace, &router, for: .scope(.presets))
        authenticated(.patch, "/api/presets/{id}", presets.patch, &router, for: .scope(.presets))
        authenticated(.delete, "/api/presets/{id}", presets.delete, &router, for: .scope(.presets))

        direct(.post, "/api/complete", completions.complete, &router, for: .scope(.complete))
        authenticated(.get, "/api/complete/{id}", control.status, &router, for: .scope(.complete))
        authenticated(.post, "/api/complete/{id}/stop", control.stop, &router, for: .scope(.complete))
        authenticated(.get, "/api/limits", limits.limits, &router, for: .anybody)
        authenticated(.get, "/api/usage", usage.report, &router, for: .scope(.usageRead))
        authenticated(.get, "/api/models", info.models, &router, for: .anybody)
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

    /// What hashes a password: open, if there is room.
    private func crowded(
        _ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping (RequestContext) async throws -> Reply,
        _ router: inout Router<Endpoint>
    ) {
        let handler = Endpoint.Handler.crowded(room: sessions.requireRoom, handler)
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: handler))
    }

    private func authenticated(
        _ method: HTTPRequest.Method, _ pattern: String,
        _ handler: @escaping (RequestContext, Principal) async throws -> Reply, _ router: inout Router<Endpoint>,
        for access: Access = .session
    ) {
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: .authenticated(access, handler)))
    }

    private func direct(
        _ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping (RequestContext, Principal) -> Reply,
        _ router: inout Router<Endpoint>, for access: Access
    ) {
        router.add(method, pattern, Endpoint(meters: RouteMeters(route: pattern), handler: .direct(access, handler)))
    }

    private func creating(
        _ method: HTTPRequest.Method, _ pattern: String, _ handler: @escaping IdempotentRequests.Handler,
        _ router: inout Router<Endpoint>, for access: Access = .session
    ) {
        let route = "\(method.rawValue) \(pattern)"
        // Named here, so that the closure keeps no copy of all of this.
        let idempotency = idempotency
        authenticated(
            method, pattern, { .response(try await idempotency.answer($0, $1, route: route, handler)) }, &router, for: access)
    }
}
