import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore

/// Finds the session token of a request, in the Authorization field or in the cookie, or the API key, in the field alone, and has it
/// checked.
///
/// What stands in the query is not looked at: addresses end up in logs and histories.
struct Authentication {
    let authenticator: Authenticator
    let keys: APIKeyVerifier
    let crossOrigin: CrossOrigin

    /// Who calls, or what has to be asked of the database first.
    enum Caller {
        case known(Principal)
        case key(APIKeyText)
    }

    /// Asks for the key that ``caller(of:)`` left.
    /// - Throws: `token_invalid`; `too_many_attempts`, `overloaded`, `database_unavailable`.
    func principal(of key: APIKeyText, _ context: RequestContext) async throws(ServiceError) -> Principal {
        try await keys.load(key, from: context.auditOrigin)
    }

    /// Waits for nothing.
    /// - Throws: `token_missing`, `token_invalid`, `token_expired`, `session_revoked`; `invalid_header` for two
    ///   Authorization fields; `origin_not_allowed` for a cookie that another site's page made the browser send.
    func caller(of context: RequestContext) throws(ServiceError) -> Caller {
        let now = SystemClock.microseconds() / 1_000_000
        if let authorization = try context.singleRange(.authorization) {
            return try context.request.bytes.withUnsafeBufferPointer { (bytes) throws(ServiceError) in
                let field = UnsafeBufferPointer(rebasing: bytes[authorization.bounds])
                guard let token = Self.bearerToken(field) else {
                    throw ServiceError(.tokenInvalid, "The Authorization field has to be `Bearer` and a session token")
                }
                if APIKeyText.isClaimed(by: token) {
                    guard let key = APIKeyText(token) else { throw ServiceError(.tokenInvalid, "The API key is not valid") }
                    return try keys.known(key).map { .known($0) } ?? .key(key)
                }
                return .known(try authenticator.authenticate(token, now: now))
            }
        }
        guard let token = SessionCookies.accessToken(of: context.request) else { throw ServiceError(.tokenMissing) }
        try refuseForeignOrigin(context.request)
        return .known(try authenticator.authenticate(token, now: now))
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

    /// RFC 6750, 2.1; the scheme's name in any case. Read where it lies: as characters of a string it cost 6,000 instructions.
    /// - Parameter field: a field's value, without white space at either end.
    static func bearerToken(_ field: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        let scheme: StaticString = "bearer "
        guard field.count > scheme.utf8CodeUnitCount else { return nil }
        for index in 0..<scheme.utf8CodeUnitCount where field[index] | 0x20 != scheme.utf8Start[index] { return nil }
        let token = field[scheme.utf8CodeUnitCount...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return token.isEmpty ? nil : UnsafeBufferPointer(rebasing: token)
    }

    /// The same for a string.
    static func bearerToken(_ field: String) -> String? {
        var field = field
        return field.withUTF8 { bearerToken($0).map { String(decoding: $0, as: UTF8.self) } }
    }
}
