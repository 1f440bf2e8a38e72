package import PlaygroundCore

/// The e-mail address an account is known by. What the type holds has one `@`, 3 to 254 bytes, no space and no control
/// character, and its ASCII letters are lower case, so that two spellings are one account.
///
/// Nothing is trimmed, and nothing beyond ASCII is folded: case folding of all of Unicode would make different
/// addresses (`K` and the Kelvin sign) one account.
package struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// The identity: ASCII letters in lower case, all else as received.
    package let description: String

    /// RFC 5321, section 4.5.3.1.3: a path has 256 octets, its angle brackets among them.
    package static let maximumLength = 254

    /// - Throws: `invalid_request` that names the field `email` and repeats nothing of it.
    package init(parsing text: String) throws(ServiceError) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 3 else { throw Self.refused(.tooShort, "An e-mail address has at least 3 bytes") }
        guard bytes.count <= Self.maximumLength else {
            throw Self.refused(.tooLong, "An e-mail address has at most \(Self.maximumLength) bytes")
        }
        guard !text.unicodeScalars.contains(where: Self.isSpaceOrControl) else {
            throw Self.refused(.invalidValue, "An e-mail address has no spaces and no control characters")
        }
        let at = bytes.firstIndex(of: UInt8(ascii: "@"))
        guard let at, at == bytes.lastIndex(of: UInt8(ascii: "@")), at > 0, at < bytes.count - 1 else {
            throw Self.refused(.invalidValue, "An e-mail address has one @ with something on both sides")
        }
        description = String(
            decoding: bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// SHA-256 in Base64: stands for the address where nothing readable of it is to be kept, also that of people who have no account.
    package var digest: String {
        let bytes = Array(description.utf8)
        return Base64.standard.encode(SHA256Digest(of: bytes.span).bytes)
    }

    /// What stands before the `@`.
    var localPart: Substring { description.prefix { $0 != "@" } }

    private static func isSpaceOrControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
            || scalar.properties.generalCategory == .format
    }

    private static func refused(_ code: ErrorCode, _ detail: String) -> ServiceError {
        ServiceError(fields: [FieldError("email", code, detail)])
    }
}
