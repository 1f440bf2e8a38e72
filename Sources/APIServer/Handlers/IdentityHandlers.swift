import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import OIDC
import PlaygroundCore
import RateLimit
import StrictJSON

/// Logging in through identity providers, and the identities that an account has there.
final class IdentityHandlers {
    private static let formLimit = 64 * 1024

    private let settings: Configuration.SignInSettings
    private let signIn: SignIn
    private let store: LoginStore
    private let accounts: AccountService
    private let passwords: PasswordChange
    private let authentication: Authentication
    private let audit: AuditLog
    private let cookies: LoginCookies
    private let ids: IDSource

    init(
        settings: Configuration.SignInSettings, signIn: SignIn, store: LoginStore, accounts: AccountService,
        passwords: PasswordChange, authentication: Authentication, audit: AuditLog, ids: IDSource
    ) {
        self.settings = settings
        self.signIn = signIn
        self.store = store
        self.accounts = accounts
        self.passwords = passwords
        self.authentication = authentication
        self.audit = audit
        cookies = LoginCookies(isSecure: settings.isSecure)
        self.ids = ids
    }

    /// What a frontend draws its buttons from.
    func providers(_ context: RequestContext) -> Response {
        .json { writer in
            writer.member("data") { writer in
                writer.array { writer in
                    for provider in settings.providers {
                        writer.object { writer in
                            writer.member("id", provider.id)
                            writer.member("display_name", provider.displayName)
                            writer.member("issuer", provider.issuer.text)
                            writer.member("start_path", "/api/auth/oidc/\(provider.id)/start")
                        }
                    }
                }
            }
        }
    }

    // MARK: Through the browser

    /// Sends the browser to the provider.
    func start(_ context: RequestContext) async throws -> Reply {
        let provider = try signIn.provider(context.pathParameters[0])
        let query = try UniqueItems(context.queryItems())
        let mode = provider.configuration.responseMode
        let request = LoginRequest(
            redirectURI: query["redirect_uri"], state: query["state"], challenge: query["code_challenge"],
            method: query["code_challenge_method"])
        let departure = try await signIn.begin(
            provider, request, browser: cookies.value(mode, of: context.request),
            network: ClientOrigin(context.clientAddress).network)
        switch departure {
        case .provider(let address, let browser):
            var fields = ResponseFields()
            cookies.set(browser, mode, in: &fields)
            return .response(Self.redirect(to: address, fields))
        case .frontend(let arrival):
            if let failure = arrival.failure { context.noteFailure(failure) }
            return .response(Self.redirect(to: arrival.address))
        }
    }

    /// The provider sends the browser back, by a link.
    func callback(_ context: RequestContext) async throws -> Reply {
        try await finish(context, UniqueItems(context.queryItems()))
    }

    /// The same by a form.
    func callbackForm(_ context: RequestContext) async throws -> Reply {
        try await finish(context, UniqueItems(await context.formItems(limit: Self.formLimit)))
    }

    private func finish(_ context: RequestContext, _ items: UniqueItems) async throws(ServiceError) -> Reply {
        let provider = try signIn.provider(context.pathParameters[0])
        let answer = ProviderAnswer(
            state: items["state"], code: items["code"], error: items["error"], issuer: items["iss"])
        let arrival: SignIn.Arrival
        do {
            arrival = try await signIn.finish(
                provider, answer, browser: cookies.value(provider.configuration.responseMode, of: context.request))
        } catch {
            tell(of: error, .login, context, provider.configuration.id)
            throw error
        }
        if let failure = arrival.failure {
            context.noteCause(failure)
            audit.record(event(.login, .failed, context, provider.configuration.id))
        }
        return .response(Self.redirect(to: arrival.address))
    }

    /// 303: what was posted is not posted again. The address that had the code or the state is told to nobody.
    private static func redirect(to address: String, _ fields: ResponseFields = ResponseFields()) -> Response {
        var fields = fields
        fields[.location] = address
        fields.append(.referrerPolicy, "no-referrer")
        return Response(status: .seeOther, fields: fields)
    }

    // MARK: Sessions

    /// A code for a session.
    func exchange(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let code = reader.requiredString("code", bytes: 1024)
        let verifier = reader.requiredString("code_verifier", bytes: 1024)
        let delivery = SessionAnswer.Delivery(&reader)
        try reader.finish()
        if delivery == .cookie { try authentication.refuseForeignOrigin(context.request) }
        return try await session(context, nil, delivery) { () async throws(ServiceError) in
            try await signIn.redeem(code: code, verifier: verifier)
        }
    }

    /// An ID token for a session.
    func nativeSignIn(_ context: RequestContext) async throws -> Reply {
        let provider = try signIn.provider(context.pathParameters[0])
        var reader = try await context.fields()
        let token = reader.requiredString("id_token", bytes: 16 * 1024)
        let nonce = reader.requiredString("nonce", characters: 16...255)
        let delivery = SessionAnswer.Delivery(&reader)
        try reader.finish()
        if delivery == .cookie { try authentication.refuseForeignOrigin(context.request) }
        return try await session(context, provider.configuration.id, delivery) { () async throws(ServiceError) in
            try await signIn.signIn(provider, idToken: token, nonce: nonce)
        }
    }

    /// Starts a session of whoever is shown to be there, and tells the audit trail, also of refusals.
    private func session(
        _ context: RequestContext, _ provider: String?, _ delivery: SessionAnswer.Delivery,
        _ identify: () async throws(ServiceError) -> LoggedInUser
    ) async throws(ServiceError) -> Reply {
        let user: LoggedInUser
        do {
            user = try await identify()
        } catch {
            tell(of: error, .login, context, provider)
            throw error
        }
        // Of several entries for one issuer a code does not tell which it was.
        let entries = settings.providers.filter { $0.issuer.text == user.issuer }
        let provider = provider ?? (entries.count == 1 ? entries.first?.id : user.issuer)
        if user.isNew { audit.record(event(.registered, .succeeded, of: user.id, context, provider)) }
        let session: IssuedSession
        do {
            session = try await accounts.startSession(
                of: User(id: user.id, email: user.email, plan: user.plan, createdAt: user.createdAt), from: context.origin)
        } catch {
            tell(of: error, .login, of: user.id, context, provider)
            throw error
        }
        audit.record(event(.login, .succeeded, of: user.id, context, provider))
        return .response(SessionAnswer(session: session, delivery: delivery).response)
    }

    /// Tells the audit trail of a refusal; what was wrong with the request's form or with this server is none.
    private func tell(
        of error: ServiceError, _ kind: AuditEvent.Kind, of user: UserID? = nil, _ context: RequestContext, _ provider: String?
    ) {
        switch error.code {
        case .idTokenInvalid, .loginAttemptInvalid, .registrationClosed, .invalidCredentials, .identityInUse,
            .identityProviderError:
            audit.record(event(kind, .failed, of: user, context, provider))
        default: break
        }
    }

    private func event(
        _ kind: AuditEvent.Kind, _ outcome: AuditEvent.Outcome, of user: UserID? = nil, _ context: RequestContext,
        _ provider: String?
    ) -> AuditEvent {
        AuditEvent(
            kind, outcome, by: user.map { _ in .subject }, of: user.map { .user($0) } ?? .unnamed, from: context.auditOrigin,
            detail: "identity provider" + (provider.map { " \($0)" } ?? ""))
    }

    // MARK: Identities

    func list(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let identities = try await store.identities(of: principal.userID)
        return .response(
            .json { writer in
                writer.member("data") { writer in
                    writer.array { writer in for identity in identities { writer.object { members(of: identity, &$0) } } }
                }
            })
    }

    /// Gives the caller's account the identity that a code stands for. Whoever holds a session for a moment is not to hold the account
    /// for good: a log-in of the last ten minutes is asked for.
    func link(_ context: RequestContext, _ principal: Principal) async throws -> Response {
        var reader = try await context.fields()
        let code = reader.requiredString("code", bytes: 1024)
        let verifier = reader.requiredString("code_verifier", bytes: 1024)
        try reader.finish()
        guard try await passwords.credentials(of: principal).isFresh else { throw ServiceError(.reauthenticationRequired) }
        let identity: Identity
        do {
            identity = try await signIn.link(code: code, verifier: verifier, to: principal.userID, id: context.newID(ids))
        } catch {
            tell(of: error, .identityLinked, of: principal.userID, context, nil)
            throw error
        }
        audit.record(event(.identityLinked, .succeeded, of: principal.userID, context, provider(of: identity.issuer)))
        return .json(.created) { members(of: identity, &$0) }
    }

    func unlink(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        try await store.unlink(try context.pathID(), from: principal.userID)
        audit.record(event(.identityUnlinked, .succeeded, of: principal.userID, context, nil))
        return .response(Response(status: .noContent))
    }

    /// Nil where it has been taken out of the configuration since.
    private func provider(of issuer: String) -> String? {
        settings.providers.first { $0.issuer.text == issuer }?.id
    }

    private func members(of identity: Identity, _ writer: inout JSONWriter) {
        writer.member("id", identity.id)
        writer.member("issuer", identity.issuer)
        writer.member("provider", provider(of: identity.issuer))
        writer.member("email", identity.email)
        writer.member("created_at", identity.createdAt)
        writer.member("last_used_at", identity.lastUsedAt)
    }
}

/// Parameters of which none may stand twice (RFC 6749, 3.1).
private struct UniqueItems {
    private var values: [String: String] = [:]

    init(_ items: [QueryItem]) throws(ServiceError) {
        for item in items where values.updateValue(item.value, forKey: item.name) != nil {
            throw ServiceError(.malformedRequest, "A parameter may stand only once")
        }
    }

    subscript(name: String) -> String? { values[name] }
}
