import COpenSSL

/// The SHA-256 (FIPS 180-4) of some bytes.
package struct SHA256Digest: Sendable, Hashable {
    /// 32 bytes.
    package let bytes: [UInt8]

    /// Hashes a whole message.
    package init(of message: Span<UInt8>) {
        bytes = [UInt8](unsafeUninitializedCapacity: Int(COPENSSL_SHA256_LENGTH)) { digest, written in
            let isHashed = message.withUnsafeBufferPointer { copenssl_sha256($0.baseAddress, $0.count, digest.baseAddress) }
            precondition(isHashed == 1, "SHA-256 takes any bytes and allocates nothing: it cannot fail")
            written = Int(COPENSSL_SHA256_LENGTH)
        }
    }

    /// The first 128 bits as a UUID, version 8: the same for the same message.
    package var uuid: UUIDBytes {
        func word(_ start: Int) -> UInt64 { bytes[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        return .v8(word(0), word(8))
    }
}
