import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore

/// Finds the session token of a request, in the Authorization field or in the cookie, and has it checked.
///
/// A token in the query is not looked at: addresses end up in logs and histories.
struct Authentication {
    let authenticator: Authenticator
    let crossOrigin: CrossOrigin

    /// - Throws: `token_missing`, `token_invalid`, `token_expired`, `session_revoked`; `invalid_header` for two
    ///   Authorization fields; `origin_not_allowed` for a cookie that another site's page made the browser send.
    func principal(of context: RequestContext) throws(ServiceError) -> Principal {
        let now = SystemClock.microseconds() / 1_000_000
        if let authorization = try context.single(.authorization) {
            guard let token = Self.bearerToken(authorization) else {
                throw ServiceError(.tokenInvalid, "The Authorization field has to be `Bearer` and a session token")
            }
            return try authenticator.authenticate(token, now: now)
        }
        guard let token = SessionCookies.accessToken(of: context.request) else { throw ServiceError(.tokenMissing) }
        try refuseForeignOrigin(context.request)
        return try authenticator.authenticate(token, now: now)
    }

    /// A cookie stands in for a token only where the page that caused the request is ours or listed. SameSite alone does
    /// not tell sibling subdomains apart.
    func refuseForeignOrigin(_ request: Request) throws(ServiceError) {
        switch request.head.method {
        case .get, .head, .options: return
        default: break
        }
        guard let origin = request.value(of: .origin) else {
            throw ServiceError(.originNotAllowed, "A request that changes something by cookie needs an Origin field")
        }
        if crossOrigin.isListed(origin) { return }
        guard let host = request.host, let separator = origin.firstRange(of: "://"),
            origin[separator.upperBound...] == host
        else { throw ServiceError(.originNotAllowed) }
    }

    /// RFC 6750, 2.1; the scheme's name in any case.
    static func bearerToken(_ field: String) -> String? {
        guard field.count > 7, field.prefix(7).lowercased() == "bearer " else { return nil }
        let token = field.dropFirst(7).trimmed
        return token.isEmpty ? nil : token
    }
}
