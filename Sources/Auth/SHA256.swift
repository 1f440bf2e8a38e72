import COpenSSL

/// SHA-256 (FIPS 180-4).
enum SHA256 {
    /// 32 bytes; nil where OpenSSL fails.
    static func digest(of bytes: [UInt8]) -> [UInt8]? {
        var isHashed = false
        let digest = [UInt8](unsafeUninitializedCapacity: Int(COPENSSL_SHA256_LENGTH)) { digest, written in
            isHashed = copenssl_sha256(bytes, bytes.count, digest.baseAddress) == 1
            written = isHashed ? Int(COPENSSL_SHA256_LENGTH) : 0
        }
        return isHashed ? digest : nil
    }
}
