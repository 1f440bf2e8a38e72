/// The signatures an ID token may bear. There is no way to name another one, `none` and the symmetric ones included.
package enum SignatureAlgorithm: String, Sendable, CaseIterable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
    /// Ed25519; the other curve of that name is not taken.
    case edDSA = "EdDSA"

    /// What a key may say that it is for: for Ed25519 there is a newer name as well (RFC 9864).
    var names: [String] { self == .edDSA ? [rawValue, "Ed25519"] : [rawValue] }
}
