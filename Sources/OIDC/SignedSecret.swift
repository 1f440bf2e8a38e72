import COpenSSL
package import PlaygroundCore
import StrictJSON

/// Makes client secrets that are signed tokens (ES256) of a short life: each is made for the request that it goes out with, so
/// none is ever met at its end.
package final class SignedSecret: Sendable {
    /// Seconds that a secret lives: a request, and what clocks may be apart.
    static let lifetime: Int64 = 300

    private let keyID: String
    private let issuer: String
    private let audience: String
    // Never written after init; OpenSSL's keys may be read by any thread.
    private nonisolated(unsafe) let key: OpaquePointer

    /// - Parameters:
    ///   - pem: a private key on P-256, not encrypted.
    ///   - keyID: what the provider knows the key by.
    ///   - issuer: what it knows us by, often a team's id.
    ///   - audience: the provider, as the token has to name it.
    /// Nil where the key is another one or unreadable.
    package init?(pem: Secret, keyID: String, issuer: String, audience: String) {
        guard let key = pem.withBytes({ copenssl_p256_private($0.baseAddress, $0.count) }) else { return nil }
        self.key = key
        self.keyID = keyID
        self.issuer = issuer
        self.audience = audience
    }

    deinit { copenssl_key_free(key) }

    /// The secret of a client for a request of this moment (seconds since 1970); nil only where OpenSSL fails.
    package func text(for clientID: String, now: Int64) -> String? {
        var header = JSONWriter()
        header.object { writer in
            writer.member("alg", SignatureAlgorithm.es256.rawValue)
            writer.member("kid", keyID)
        }
        var claims = JSONWriter()
        claims.object { writer in
            writer.member("iss", issuer)
            writer.member("iat", now)
            writer.member("exp", now + Self.lifetime)
            writer.member("aud", audience)
            writer.member("sub", clientID)
        }
        let message = Base64.url.encode(header.bytes) + "." + Base64.url.encode(claims.bytes)
        let bytes = Array(message.utf8)
        var signature = [UInt8](repeating: 0, count: Int(COPENSSL_SIGNATURE_LENGTH))
        guard copenssl_sign_es256(key, bytes, bytes.count, &signature) == 1 else { return nil }
        return message + "." + Base64.url.encode(signature)
    }
}
