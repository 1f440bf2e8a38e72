package import PlaygroundCore

/// Makes and checks the tokens that requests carry, without the database: what is in one is believed because of its tag.
/// Whether its session was ended since is `RevokedSessions`' business.
package struct AccessTokenCodec: Sendable {
    /// Seconds that an access token lives.
    package static let lifetime: Int64 = 15 * 60
    /// Seconds that a load-test token lives.
    package static let loadLifetime: Int64 = 24 * 60 * 60
    /// Seconds that a token is taken after its end, because replicas' clocks differ.
    package static let leeway: Int64 = 30

    private let format: TokenFormat

    /// Signs with the first key, verifies with all.
    package init(keys: KeyRing) { format = TokenFormat(keys: keys) }

    /// Why a token is not taken.
    package enum Refusal: Error, Equatable {
        /// Malformed, of another purpose, under an unknown key, or with a wrong tag.
        case invalid
        /// Ours, and past its end.
        case expired
    }

    /// An access token of this session. Nil only where OpenSSL fails.
    /// - Parameter now: seconds since 1970.
    package func issue(user: UserID, session: SessionID, now: Int64) -> String? {
        seal(.access, user, (session.uuid.high, session.uuid.low), expires: now + Self.lifetime)
    }

    /// A token of a load-test user, which belongs to no session. Nil only where OpenSSL fails.
    package func issueLoad(user: UserID, now: Int64) -> String? {
        seal(.load, user, (0, 0), expires: now + Self.loadLifetime)
    }

    /// Who the token speaks for. Allocates nothing.
    /// - Parameter now: seconds since 1970.
    package func verify(_ text: UnsafeBufferPointer<UInt8>, now: Int64) throws(Refusal) -> Principal {
        let claims = try claims(text)
        guard now < claims.expires + Self.leeway else { throw .expired }
        return claims.principal
    }

    package func verify(_ text: Span<UInt8>, now: Int64) throws(Refusal) -> Principal {
        try text.withUnsafeBufferPointer { (bytes) throws(Refusal) in try verify(bytes, now: now) }
    }

    package func verify(_ text: String, now: Int64) throws(Refusal) -> Principal {
        try verify(text.utf8.span, now: now)
    }

    /// Who the token spoke for, expired or not: enough to log out with, for nothing else.
    package func verifyIgnoringExpiry(_ text: String) throws(Refusal) -> Principal {
        try text.utf8.span.withUnsafeBufferPointer { (bytes) throws(Refusal) in try claims(bytes) }.principal
    }

    private func seal(_ purpose: TokenPurpose, _ user: UserID, _ session: (UInt64, UInt64), expires: Int64) -> String? {
        let body: TokenFormat.Body = [UInt64(bitPattern: expires), user.uuid.high, user.uuid.low, session.0, session.1]
        return format.seal(purpose, body, with: format.keys.signing)?.text
    }

    private func claims(_ text: UnsafeBufferPointer<UInt8>) throws(Refusal) -> (principal: Principal, expires: Int64) {
        guard let opened = format.open(text), opened.isAuthentic else { throw .invalid }
        // Bounded, so that the arithmetic on it cannot overflow.
        guard opened.body[0] < 1 << 40 else { throw .invalid }
        let user = UserID(UUIDBytes(high: opened.body[1], low: opened.body[2]))
        let expires = Int64(opened.body[0])
        switch opened.purpose {
        case .access:
            let session = SessionID(UUIDBytes(high: opened.body[3], low: opened.body[4]))
            return (Principal(userID: user, sessionID: session, purpose: .access), expires)
        case .load: return (Principal(userID: user, sessionID: nil, purpose: .load), expires)
        case .refresh, .passwordReset, .emailVerification, .emailChange, .invitation: throw .invalid
        }
    }
}
