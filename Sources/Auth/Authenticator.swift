package import PlaygroundCore

/// Turns the token of a request into who calls. Asks no database: a tag, a clock and a set in memory. Belongs to its loop, as the
/// keys do.
package struct Authenticator {
    private let keys: SessionKeys
    private let revoked: RevokedSessions
    private let acceptsLoadTokens: Bool

    /// - Parameter acceptsLoadTokens: whether tokens of load tests are good here; never where real users are.
    package init(keys: SessionKeys, revoked: RevokedSessions, acceptsLoadTokens: Bool) {
        self.keys = keys
        self.revoked = revoked
        self.acceptsLoadTokens = acceptsLoadTokens
    }

    /// - Parameters:
    ///   - token: as it stands in the request, nothing around it; nil where there is none.
    ///   - now: seconds since 1970.
    /// - Throws: `token_missing`, `token_invalid`, `token_expired` (refresh), `session_revoked` (log in).
    package func authenticate(_ token: UnsafeBufferPointer<UInt8>?, now: Int64) throws(ServiceError) -> Principal {
        guard let token, !token.isEmpty else { throw ServiceError(.tokenMissing) }
        let principal: Principal
        do throws(AccessTokenCodec.Refusal) {
            principal = try keys.accessTokens.verify(token, now: now)
        } catch {
            throw ServiceError(error == .expired ? .tokenExpired : .tokenInvalid)
        }
        switch principal.purpose {
        case .access:
            if let session = principal.sessionID, revoked.contains(session) { throw ServiceError(.sessionRevoked) }
        case .load:
            guard acceptsLoadTokens else { throw ServiceError(.tokenInvalid) }
        case .key: throw ServiceError(.tokenInvalid)
        }
        return principal
    }

    package func authenticate(_ token: String, now: Int64) throws(ServiceError) -> Principal {
        try token.utf8.span.withUnsafeBufferPointer { (bytes) throws(ServiceError) in try authenticate(bytes, now: now) }
    }
}
