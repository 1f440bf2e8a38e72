import Auth
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit
import StrictJSON

/// Accounts and sessions over HTTP: tokens in the body or, for frontends of our own origin, in cookies.
final class SessionHandlers {
    private let accounts: AccountService
    private let recovery: AccountRecovery
    private let throttle: LoginThrottle
    private let hasher: PasswordHasher
    private let authentication: Authentication
    private let audit: AuditLog

    init(
        accounts: AccountService, recovery: AccountRecovery, throttle: LoginThrottle, hasher: PasswordHasher,
        authentication: Authentication, audit: AuditLog
    ) {
        self.accounts = accounts
        self.recovery = recovery
        self.throttle = throttle
        self.hasher = hasher
        self.authentication = authentication
        self.audit = audit
    }

    /// - Throws: `overloaded` where no further password can be hashed.
    func requireRoom() throws(ServiceError) { try hasher.requireRoom() }

    /// Always the same answer, so that nobody learns who has an account.
    func register(_ context: RequestContext) async throws -> Reply {
        let credentials = try await credentials(context)
        let account = try accounts.newAccount(email: credentials.email, password: credentials.password)
        let subject = AuditEvent.Subject.address(account.email)
        try await guessing(.registered, of: subject, context) { () async throws(ServiceError) in
            var isNew = false
            try await throttle.registration(from: ClientOrigin(context.clientAddress)) { () async throws(ServiceError) in
                isNew = try await accounts.register(account)
                try await confirm(account.email, context)
            }
            let detail = isNew ? nil : "the address has an account"
            audit.record(
                AuditEvent(.registered, isNew ? .succeeded : .failed, of: subject, from: context.auditOrigin, detail: detail))
        }
        return .response(.json(.accepted) { $0.member("status", "accepted") })
    }

    /// Whoever registers an address again and again has no more mails sent to it than who has lost a password. The answer does not tell.
    private func confirm(_ email: EmailAddress, _ context: RequestContext) async throws(ServiceError) {
        guard recovery.sendsMail else { return }
        do throws(ServiceError) {
            try await throttle.mail(to: email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await recovery.confirmRegistration(email)
            }
        } catch {
            guard error.code == .tooManyAttempts else { throw error }
        }
    }

    func login(_ context: RequestContext) async throws -> Reply {
        let credentials = try await credentials(context, mayChooseDelivery: true)
        if credentials.delivery == .cookie { try authentication.refuseForeignOrigin(context.request) }
        let email = try EmailAddress(parsing: credentials.email)
        let session = try await guessing(.login, of: .address(email), context) { () async throws(ServiceError) in
            try await throttle.login(account: email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await accounts.login(email: email, password: credentials.password, from: context.origin)
            }
        }
        audit.record(AuditEvent(.login, of: .user(session.user.id), from: context.auditOrigin))
        return .response(answer(session, credentials.delivery))
    }

    func refresh(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.optionalFields()
        let given = reader.string("refresh_token", bytes: 1024)
        let wanted = Delivery(&reader)
        try reader.finish()
        let reused = { [audit] (session: SessionID) in
            audit.record(AuditEvent(.refreshReused, .failed, session: session, from: context.auditOrigin))
        }
        if let given { return .response(answer(try await accounts.refresh(given, from: context.origin, reused: reused), wanted)) }
        guard let cookie = SessionCookies.refreshToken(of: context.request) else {
            throw ServiceError(.tokenMissing, "Send the refresh token, as `refresh_token` or as a cookie")
        }
        try authentication.refuseForeignOrigin(context.request)
        return .response(answer(try await accounts.refresh(cookie, from: context.origin, reused: reused), .cookie))
    }

    /// Ends the session of whatever token comes along; a token that is no good any more ends nothing, and that is fine too.
    func logout(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.optionalFields()
        let given = reader.string("refresh_token", bytes: 1024)
        try reader.finish()
        let bearer = try context.single(.authorization).flatMap { Authentication.bearerToken($0) }
        var cookies: [String] = []
        if bearer == nil, given == nil {
            cookies = [
                SessionCookies.accessToken(of: context.request), SessionCookies.refreshToken(of: context.request),
            ].compactMap(\.self)
            if !cookies.isEmpty { try authentication.refuseForeignOrigin(context.request) }
        }
        for token in [bearer, given].compactMap(\.self) + cookies {
            guard let session = try await accounts.logout(token) else { continue }
            audit.record(AuditEvent(.logout, session: session, from: context.auditOrigin))
        }
        var fields = ResponseFields()
        if !cookies.isEmpty { SessionCookies.clear(in: &fields) }
        return .response(Response(status: .noContent, fields: fields))
    }

    func me(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let (user, isEmailVerified) = try await accounts.current(principal)
        return .response(
            .json { writer in
                SessionAnswer.members(of: user, &writer)
                writer.member("email_verified", isEmailVerified)
            })
    }

    /// Does what guesses may be made at, if there is room for hashing, and tells the audit trail of those that were refused.
    private func guessing<Value>(
        _ kind: AuditEvent.Kind, of subject: AuditEvent.Subject, _ context: RequestContext,
        _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        do throws(ServiceError) {
            return try await hasher.admitting(body)
        } catch {
            switch error.code {
            case .invalidCredentials: audit.record(AuditEvent(kind, .failed, of: subject, from: context.auditOrigin))
            case .tooManyAttempts: audit.record(AuditEvent(kind, .throttled, of: subject, from: context.auditOrigin))
            default: break
            }
            throw error
        }
    }

    // MARK: Shapes

    private typealias Delivery = SessionAnswer.Delivery

    private func credentials(
        _ context: RequestContext, mayChooseDelivery: Bool = false
    ) async throws(ServiceError) -> (email: String, password: String, delivery: Delivery) {
        var reader = try await context.fields()
        let email = reader.requiredString("email", bytes: 1024)
        let password = reader.requiredString("password", bytes: 4096)
        let delivery = mayChooseDelivery ? Delivery(&reader) : .body
        try reader.finish()
        return (email, password, delivery)
    }

    private func answer(_ session: IssuedSession, _ delivery: Delivery) -> Response {
        SessionAnswer(session: session, delivery: delivery).response
    }
}

extension RequestContext {
    /// What the owner of a session is shown of the program that used it.
    var origin: SessionOrigin { SessionOrigin(userAgent: request.value(of: .userAgent), address: clientAddress) }
}
