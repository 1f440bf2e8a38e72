/// The keys of `SESSION_KEYS` as one loop has them: whatever signs or verifies there asks here, so that a new ring is in force for the
/// next token and costs a verification nothing. Belongs to its loop.
package final class SessionKeys {
    package private(set) var ring: KeyRing
    private(set) var accessTokens: AccessTokenCodec
    private(set) var refreshTokens: RefreshTokenCodec

    package init(_ ring: KeyRing) {
        self.ring = ring
        accessTokens = AccessTokenCodec(keys: ring)
        refreshTokens = RefreshTokenCodec(keys: ring)
    }

    /// Signs with the first key of `ring` from now on, and verifies with all of its keys and no other.
    package func replace(with ring: KeyRing) {
        self.ring = ring
        accessTokens = AccessTokenCodec(keys: ring)
        refreshTokens = RefreshTokenCodec(keys: ring)
    }
}
