import COpenSSL

/// A public key that signatures of exactly one algorithm are checked with.
final class PublicKey: Sendable {
    let algorithm: SignatureAlgorithm
    // Never written after init; OpenSSL's keys may be read by any thread.
    private nonisolated(unsafe) let key: OpaquePointer

    /// Bits of a modulus: fewer are too weak (RFC 7518, 3.3), more would only cost.
    private static let rsaBits = 2048...8192
    private static let exponentBytes = 1...8

    /// Nil for a modulus of another size or of the generator that ROCA (CVE-2017-15361) is about, or an exponent below 3 or even.
    init?(modulus: [UInt8], exponent: [UInt8]) {
        let modulus = Array(modulus.drop { $0 == 0 })
        let exponent = Array(exponent.drop { $0 == 0 })
        guard modulus.count <= Self.rsaBits.upperBound / 8, Self.exponentBytes.contains(exponent.count),
            let last = exponent.last, last & 1 == 1, exponent != [1], !Self.isWeaklyGenerated(modulus),
            let key = copenssl_rsa_public(modulus, modulus.count, exponent, exponent.count)
        else { return nil }
        algorithm = .rs256
        self.key = key
        guard Self.rsaBits.contains(Int(copenssl_key_bits(key))) else { return nil }
    }

    /// Nil where the point has not twice 32 bytes or is not on P-256.
    init?(x: [UInt8], y: [UInt8]) {
        guard x.count == 32, y.count == 32, let key = copenssl_p256_public(x, y) else { return nil }
        algorithm = .es256
        self.key = key
    }

    /// Nil where there are not 32 bytes.
    init?(ed25519 bytes: [UInt8]) {
        guard bytes.count == 32, let key = copenssl_ed25519_public(bytes) else { return nil }
        algorithm = .edDSA
        self.key = key
    }

    deinit { copenssl_key_free(key) }

    /// Whether this key made the signature, by its one algorithm.
    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch algorithm {
        case .rs256:
            return copenssl_verify_rs256(key, message, message.count, signature, signature.count) == 1
        case .es256:
            guard signature.count == Int(COPENSSL_SIGNATURE_LENGTH) else { return false }
            return copenssl_verify_es256(key, message, message.count, signature) == 1
        case .edDSA:
            guard signature.count == Int(COPENSSL_SIGNATURE_LENGTH) else { return false }
            return copenssl_verify_ed25519(key, message, message.count, signature) == 1
        }
    }

    /// The fingerprint that Nemec and others give (CCS 2017): modulo each of these primes, a modulus of that generator is a power
    /// of 65537. Of others one in 2^27 is.
    private static func isWeaklyGenerated(_ modulus: [UInt8]) -> Bool {
        let primes: [UInt32] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]
        return primes.allSatisfy { prime in
            let remainder = modulus.reduce(UInt32(0)) { ($0 << 8 | UInt32($1)) % prime }
            var power: UInt32 = 1
            for _ in 0..<prime {
                if power == remainder { return true }
                power = power * (65537 % prime) % prime
            }
            return false
        }
    }
}
