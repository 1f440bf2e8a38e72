import PlaygroundCore

/// What one log-in at a provider is bound by. Two secrets are made: the state, which travels in addresses, and the browser's,
/// which is in a cookie alone. Nonce and PKCE verifier are derived from both, so that nobody who sees the addresses, and nobody
/// who sees the database, which has the hashes of both, can know them.
struct LoginSecrets: Sendable {
    let state: RandomToken
    let browser: RandomToken

    /// For the ID token to bear.
    var nonce: String { derived("nonce") }
    /// RFC 7636, 4.1: 43 characters.
    var verifier: String { derived("verifier") }
    /// RFC 7636, 4.2: what the provider is told of the verifier first.
    var challenge: String { Self.challenge(of: verifier) }

    /// Both secrets have a fixed length, so no two triples make the same message.
    private func derived(_ purpose: String) -> String {
        Base64.url.encode(SHA256Digest(of: (browser.bytes + state.bytes + Array(purpose.utf8)).span).bytes)
    }

    /// The S256 challenge of a verifier.
    static func challenge(of verifier: String) -> String {
        Base64.url.encode(SHA256Digest(of: Array(verifier.utf8).span).bytes)
    }
}
