import COpenSSL
import PlaygroundCore

/// Random numbers that nobody can guess, from OpenSSL's generator (RAND_bytes).
enum SecureRandom {
    /// 128 random bits, none of them fixed: what a session id and a refresh nonce are made of.
    static func uuid() throws(ServiceError) -> UUIDBytes {
        let random = try bytes(16)
        return UUIDBytes(high: bigEndian(random[0..<8]), low: bigEndian(random[8..<16]))
    }

    /// - Throws: `internal` where the generator has no seed; nothing may be issued then.
    static func bytes(_ count: Int) throws(ServiceError) -> [UInt8] {
        var isFilled = false
        let random = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            isFilled = copenssl_random(buffer.baseAddress, count) == 1
            written = isFilled ? count : 0
        }
        guard isFilled else { throw ServiceError(.internalError, cause: "RAND_bytes failed") }
        return random
    }

    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
