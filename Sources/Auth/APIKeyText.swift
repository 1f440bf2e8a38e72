import COpenSSL
package import PlaygroundCore

/// An API key as it is presented: a text whose form and checksum are right. It holds the SHA-256 of the text and not the text.
///
///     pgk_  id  secret  checksum
///      4    22    27       6        characters, digits and letters of ASCII after the prefix
///
/// The id is the key's 128 bits in base 62; the secret is 27 random characters (160 bits); the checksum is the CRC-32 (that of zlib) of
/// all that precedes it, in base 62. So whoever searches for leaked keys knows one from a text that looks like one, without asking
/// anybody: `pgk_[0-9A-Za-z]{55}`. A key has one spelling only.
package struct APIKeyText: Sendable, Equatable {
    /// In front of every key.
    package static let prefix = "pgk_"
    /// Characters of a key.
    package static let length = 4 + idLength + secretLength + checksumLength
    private static let idLength = 22
    private static let secretLength = 27
    private static let checksumLength = 6
    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package let id: APIKeyID
    let hash: SHA256Digest

    /// Whether a token claims to be an API key.
    package static func isClaimed(by text: UnsafeBufferPointer<UInt8>) -> Bool { text.starts(with: prefix.utf8) }

    /// Nil where the text is no key: malformed, or with a wrong checksum.
    package init?(_ text: UnsafeBufferPointer<UInt8>) {
        guard text.count == Self.length, Self.isClaimed(by: text) else { return nil }
        let body = text.count - Self.checksumLength
        guard let id = Self.number(text[4..<4 + Self.idLength]),
            Self.number(text[body...]) == UInt128(Self.checksum(text[..<body])),
            text[(4 + Self.idLength)..<body].allSatisfy({ Self.value(of: $0) != nil })
        else { return nil }
        self.id = APIKeyID(UUIDBytes(high: UInt64(truncatingIfNeeded: id >> 64), low: UInt64(truncatingIfNeeded: id)))
        hash = SHA256Digest(of: text.span)
    }

    /// The same for a string.
    package init?(_ text: String) {
        guard let key = text.utf8.span.withUnsafeBufferPointer({ APIKeyText($0) }) else { return nil }
        self = key
    }

    /// A new key: what its owner gets to see, once.
    static func make(id: APIKeyID) throws(ServiceError) -> (text: Secret, key: APIKeyText) {
        var text = Array((prefix + name(of: id).dropFirst(prefix.utf8.count)).utf8)
        while text.count < 4 + idLength + secretLength {
            // Of 256 values 248 are four times the alphabet; the others would favour its beginning.
            for byte in try SecureRandom.bytes(32) where byte < 248 && text.count < 4 + idLength + secretLength {
                text.append(digits[Int(byte) % 62])
            }
        }
        text += characters(UInt128(checksum(text[...])), count: checksumLength)
        guard let key = text.withUnsafeBufferPointer({ APIKeyText($0) }) else {
            throw ServiceError(.internalError, cause: "a new API key cannot be read")
        }
        return (Secret(bytes: text), key)
    }

    /// The part of a key that is no secret, and that it begins with: `pgk_` and its id.
    package static func name(of id: APIKeyID) -> String {
        prefix + String(decoding: characters(UInt128(id.uuid.high) << 64 | UInt128(id.uuid.low), count: idLength), as: UTF8.self)
    }

    private static func characters(_ number: UInt128, count: Int) -> [UInt8] {
        var rest = number
        var text = [UInt8](repeating: 0, count: count)
        for place in text.indices.reversed() {
            text[place] = digits[Int(rest % 62)]
            rest /= 62
        }
        return text
    }

    /// Nil for other characters, and for what needs more than 128 bits: a second spelling of another number.
    private static func number(_ text: some Collection<UInt8>) -> UInt128? {
        var number: UInt128 = 0
        for character in text {
            guard let value = value(of: character) else { return nil }
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: 62)
            let (sum, isOver) = product.addingReportingOverflow(UInt128(value))
            if isTooLarge || isOver { return nil }
            number = sum
        }
        return number
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 36
        default: nil
        }
    }

    /// CRC-32 as zlib and PNG have it (ISO 3309): reflected, polynomial 0x04C11DB7.
    private static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        var crc: UInt32 = .max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return ~crc
    }

    /// Whether the hash that is stored is that of this key, in a time that does not tell how much of it is.
    func matches(_ stored: [UInt8]) -> Bool {
        stored.count == hash.bytes.count && copenssl_equal(stored, hash.bytes, stored.count) == 1
    }
}
