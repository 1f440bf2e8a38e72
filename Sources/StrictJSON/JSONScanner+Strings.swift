/// A string as it stands in the text: its bytes between the quotes, escapes and all.
public struct JSONStringToken: Sendable, Equatable {
    /// Where the bytes between the quotes stand in the text.
    public let range: Range<Int>
    /// Whether there is at least one backslash in it; otherwise the bytes are the string.
    public let isEscaped: Bool
}

extension JSONScanner {
    /// Takes a string: valid UTF-8, no raw control characters, every escape well formed.
    public mutating func string() throws(JSONError) -> JSONStringToken {
        guard try next() == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: offset) }
        return try stringAtQuote()
    }

    /// The same where the next byte is known to be the opening quote. Only what most strings need is inlined: eight bytes
    /// at a time up to the closing quote.
    @inline(__always)
    mutating func stringAtQuote() throws(JSONError) -> JSONStringToken {
        let start = offset &+ 1
        var index = start
        while index &+ 8 <= bytes.count {
            let stops = Self.stops(in: word(at: index))
            if stops != 0 {
                index &+= stops.trailingZeroBitCount &>> 3
                guard bytes[unchecked: index] == UInt8(ascii: "\"") else { break }
                offset = index &+ 1
                return JSONStringToken(range: Range(uncheckedBounds: (start, index)), isEscaped: false)
            }
            index &+= 8
        }
        return try restOfString(from: start, at: index)
    }

    /// Whether the string is `text`, which has no characters that JSON escapes. A name spelt with escapes matches too.
    ///
    /// Inlined where it is used: most names differ by their length alone, and that of `text` is a constant there.
    @inlinable @inline(__always)
    public func matches(_ token: JSONStringToken, _ text: StaticString) -> Bool {
        guard !token.isEscaped else { return Self.matchesEscaped(token, in: bytes, text) }
        let length = text.utf8CodeUnitCount
        let base = token.range.lowerBound
        guard token.range.upperBound &- base == length else { return false }
        for index in 0..<length where bytes[unchecked: base &+ index] != text.utf8Start[index] { return false }
        return true
    }

    /// The string's characters, escapes resolved. Throws `loneSurrogate` or `nullCharacter` (unless the limits allow it).
    public func text(of token: JSONStringToken) throws(JSONError) -> String {
        try Self.text(of: token, in: bytes, allowsNullCharacter: limits.allowsNullCharacter)
    }

    // MARK: Parts

    // Static where they can be: a method that is not inlined and does not mutate gets a copy of the whole scanner.

    /// Past the closing quote of a string that began at `start` and is plain up to `index`.
    private mutating func restOfString(from start: Int, at index: Int) throws(JSONError) -> JSONStringToken {
        let end = bytes.count
        var index = index
        var isEscaped = false
        while index < end {
            switch bytes[unchecked: index] {
            case UInt8(ascii: "\""):
                offset = index &+ 1
                return JSONStringToken(range: Range(uncheckedBounds: (start, index)), isEscaped: isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                index = try Self.endOfEscape(in: bytes, at: index)
            case 0x00..<0x20: throw JSONError(.controlCharacter, at: index)
            case 0x80...0xFF: index = try Self.endOfNonASCII(in: bytes, at: index)
            default:
                index &+= 1
                while index &+ 8 <= end {
                    let stops = Self.stops(in: word(at: index))
                    index &+= stops == 0 ? 8 : stops.trailingZeroBitCount &>> 3
                    if stops != 0 { break }
                }
            }
        }
        throw JSONError(.unexpectedEnd, at: end)
    }

    @usableFromInline
    static func matchesEscaped(_ token: JSONStringToken, in bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        (try? self.text(of: token, in: bytes, allowsNullCharacter: true)) == text.description
    }

    private static func text(
        of token: JSONStringToken, in bytes: Span<UInt8>, allowsNullCharacter: Bool
    ) throws(JSONError) -> String {
        let raw = bytes.extracting(token.range)
        guard token.isEscaped else { return String(checked: raw) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\") else {
                decoded.append(raw[index])
                index += 1
                continue
            }
            let place = token.range.lowerBound + index
            let escape = raw[index + 1]
            index += 2
            guard escape == UInt8(ascii: "u") else {
                decoded.append(unescaped(escape))
                continue
            }
            var value = codeUnit(raw, at: index)
            index += 4
            if value & 0xFC00 == 0xD800, index + 6 <= raw.count, raw[index] == UInt8(ascii: "\\"),
                raw[index + 1] == UInt8(ascii: "u")
            {
                let low = codeUnit(raw, at: index + 2)
                if low & 0xFC00 == 0xDC00 {
                    value = 0x10000 + (value & 0x3FF) << 10 | low & 0x3FF
                    index += 6
                }
            }
            guard let scalar = Unicode.Scalar(value) else { throw JSONError(.loneSurrogate, at: place) }
            guard value != 0 || allowsNullCharacter else { throw JSONError(.nullCharacter, at: place) }
            decoded.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    /// Eight bytes as a number whose lowest byte is the first.
    @inline(__always)
    private func word(at index: Int) -> UInt64 {
        UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
    }

    /// The high bit of each byte that is a quote, a backslash, a control character or not ASCII. Bytes above the first
    /// such byte may be marked wrongly (a borrow runs upward); the lowest mark is always right.
    @inline(__always)
    private static func stops(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let quotes = (quote &- ones) & ~quote
        let backslashes = (backslash &- ones) & ~backslash
        let controls = (word &- (ones &* 0x20)) & ~word
        return (quotes | backslashes | controls | word) & (ones &* 0x80)
    }

    /// Past the escape whose backslash stands at `index`.
    private static func endOfEscape(in bytes: Span<UInt8>, at index: Int) throws(JSONError) -> Int {
        guard index + 1 < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
        switch bytes[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return index + 2
        case UInt8(ascii: "u"):
            for digit in index + 2..<index + 6 {
                guard digit < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
                guard hexadecimal(bytes[digit]) != nil else { throw JSONError(.invalidEscape, at: index) }
            }
            return index + 6
        default:
            throw JSONError(.invalidEscape, at: index)
        }
    }

    /// Past the run of non-ASCII characters that starts at `index`: RFC 3629's table, which leaves no room for overlong
    /// forms, surrogates or values above U+10FFFF.
    private static func endOfNonASCII(in bytes: Span<UInt8>, at start: Int) throws(JSONError) -> Int {
        var index = start
        while index < bytes.count, bytes[unchecked: index] >= 0x80 {
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch bytes[unchecked: index] {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            case 0xF1...0xF3: length = 4
            default: throw JSONError(.invalidUTF8, at: index)
            }
            guard index &+ length <= bytes.count, second.contains(bytes[unchecked: index &+ 1]) else {
                throw JSONError(.invalidUTF8, at: index)
            }
            for further in 2..<max(length, 2) where bytes[unchecked: index &+ further] & 0xC0 != 0x80 {
                throw JSONError(.invalidUTF8, at: index)
            }
            index &+= length
        }
        return index
    }

    private static func unescaped(_ escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }

    /// The value of four hexadecimal digits that `endOfEscape` has checked.
    private static func codeUnit(_ raw: Span<UInt8>, at index: Int) -> UInt32 {
        var value: UInt32 = 0
        for digit in index..<index + 4 { value = value << 4 | UInt32(hexadecimal(raw[digit]) ?? 0) }
        return value
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension String {
    /// Bytes that a scanner has found to be UTF-8. Written where the string keeps them, which for a short one costs half of what
    /// `String(decoding:as:)` does.
    init(checked bytes: Span<UInt8>) {
        self = bytes.withUnsafeBufferPointer { bytes in
            String(unsafeUninitializedCapacity: bytes.count) { $0.initialize(fromContentsOf: bytes) }
        }
    }
}
