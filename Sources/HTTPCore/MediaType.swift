/// A Content-Type's value (RFC 9110 8.3), parsed strictly.
package struct MediaType: Sendable, Equatable {
    /// Lower-cased, such as `application`.
    package let type: String
    /// Lower-cased, such as `json`.
    package let subtype: String
    /// The charset parameter, lower-cased; nil where there is none.
    package let charset: String?

    /// Whether the body is JSON as we read it: `application/json`, in UTF-8 or without a charset.
    package var isJSON: Bool { type == "application" && subtype == "json" && (charset ?? "utf-8") == "utf-8" }

    /// Whether the body is a form as browsers post it.
    package var isForm: Bool { type == "application" && subtype == "x-www-form-urlencoded" && (charset ?? "utf-8") == "utf-8" }

    /// Nil where `bytes` are not `type/subtype` with well-formed parameters, or where charset is repeated.
    package init?(_ bytes: Span<UInt8>) {
        var reader = ParameterReader(bytes.count)
        guard let type = reader.token(bytes), reader.take(0x2f, bytes), let subtype = reader.token(bytes) else { return nil }
        var charset: String?
        while true {
            reader.skipWhiteSpace(bytes)
            guard !reader.isAtEnd else { break }
            guard reader.take(0x3b, bytes) else { return nil }
            reader.skipWhiteSpace(bytes)
            // Parameters may be empty: `a/b; ; c=d`.
            guard !reader.isAtEnd, bytes[reader.index] != 0x3b else { continue }
            guard let name = reader.token(bytes), reader.take(0x3d, bytes), let value = reader.tokenOrQuoted(bytes) else {
                return nil
            }
            if name == "charset" {
                guard charset == nil else { return nil }
                charset = value
            }
        }
        self.type = type
        self.subtype = subtype
        self.charset = charset
    }

    /// As above, from text.
    package init?(_ text: String) {
        self.init(text.utf8.span)
    }
}

/// A cursor over one parameterised field value. All text it returns is lower-cased.
private struct ParameterReader {
    var index = 0
    let end: Int

    init(_ end: Int) { self.end = end }

    var isAtEnd: Bool { index == end }

    mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard index < end, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    mutating func skipWhiteSpace(_ bytes: Span<UInt8>) {
        while index < end, bytes[index] == .space || bytes[index] == .tab { index += 1 }
    }

    mutating func token(_ bytes: Span<UInt8>) -> String? {
        let start = index
        while index < end, ByteSet.token.contains(bytes[index]) { index += 1 }
        return index > start ? ByteRange(start, index).string(in: bytes).lowercased() : nil
    }

    mutating func tokenOrQuoted(_ bytes: Span<UInt8>) -> String? {
        guard take(0x22, bytes) else { return token(bytes) }
        var text: [UInt8] = []
        while index < end {
            var byte = bytes[index]
            index += 1
            if byte == 0x22 { return String(decoding: text, as: UTF8.self).lowercased() }
            if byte == 0x5c {
                guard index < end else { return nil }
                byte = bytes[index]
                index += 1
            }
            guard byte.isFieldContent else { return nil }
            text.append(byte)
        }
        return nil
    }
}
