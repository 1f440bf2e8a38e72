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
    private let throttle: LoginThrottle
    private let authentication: Authentication

    init(accounts: AccountService, throttle: LoginThrottle, authentication: Authentication) {
        self.accounts = accounts
        self.throttle = throttle
        self.authentication = authentication
    }

    /// Always the same answer, so that nobody learns who has an account.
    func register(_ context: RequestContext) async throws -> Reply {
        let credentials = try await credentials(context)
        let account = try accounts.newAccount(email: credentials.email, password: credentials.password)
        try await throttle.registration(from: ClientOrigin(context.clientAddress)) { () async throws(ServiceError) in
            try await accounts.register(account)
        }
        return .response(.json(.accepted) { $0.member("status", "accepted") })
    }

    func login(_ context: RequestContext) async throws -> Reply {
        let credentials = try await credentials(context, mayChooseDelivery: true)
        if credentials.delivery == .cookie { try authentication.refuseForeignOrigin(context.request) }
        let email = try EmailAddress(parsing: credentials.email)
        let session = try await throttle.login(account: email.digest, from: ClientOrigin(context.clientAddress)) {
            () async throws(ServiceError) in
            try await accounts.login(email: email, password: credentials.password)
        }
        return .response(answer(session, credentials.delivery))
    }

    func refresh(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.optionalFields()
        let given = reader.string("refresh_token", bytes: 1024)
        let wanted = Delivery(&reader)
        try reader.finish()
        if let given { return .response(answer(try await accounts.refresh(given), wanted)) }
        guard let cookie = SessionCookies.refreshToken(of: context.request) else {
            throw ServiceError(.tokenMissing, "Send the refresh token, as `refresh_token` or as a cookie")
        }
        try authentication.refuseForeignOrigin(context.request)
        return .response(answer(try await accounts.refresh(cookie), .cookie))
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
        for token in [bearer, given].compactMap(\.self) + cookies { try await accounts.logout(token) }
        var fields = ResponseFields()
        if !cookies.isEmpty { SessionCookies.clear(in: &fields) }
        return .response(Response(status: .noContent, fields: fields))
    }

    func me(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let user = try await accounts.user(principal)
        return .response(.json { SessionAnswer.members(of: user, &$0) })
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
    /// A reader over the body's fields, or over none where there is no body.
    fileprivate func optionalFields() async throws(ServiceError) -> FieldReader {
        request.hasBody ? try await fields() : FieldReader(JSONObject())
    }
}
