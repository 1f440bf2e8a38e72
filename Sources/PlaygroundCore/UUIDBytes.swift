/// The 128 bits of a UUID (RFC 9562), big-endian.
package struct UUIDBytes: Sendable, Hashable {
    /// The first eight bytes, big-endian.
    package let high: UInt64
    /// The last eight bytes, big-endian.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A time-ordered UUID, version 7: 48 bits of Unix milliseconds, 74 of `random`, which has to come from a
    /// cryptographic source where an id must not be guessed.
    package static func v7(milliseconds: Int64, random: (UInt64, UInt64)) -> UUIDBytes {
        let time = UInt64(bitPattern: milliseconds) << 16
        return UUIDBytes(
            high: time | 0x7000 | random.0 & 0x0FFF,
            low: 0x8000_0000_0000_0000 | random.1 & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// A UUID of one's own making, version 8: 122 of the given bits.
    package static func v8(_ high: UInt64, _ low: UInt64) -> UUIDBytes {
        UUIDBytes(
            high: high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000, low: 0x8000_0000_0000_0000 | low & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// The milliseconds since 1970 that a version 7 UUID begins with.
    package var milliseconds: Int64 { Int64(high >> 16) }
}

extension UUIDBytes: LosslessStringConvertible {
    /// Reads the canonical 8-4-4-4-12 form, upper or lower case, any version; nothing else (no braces, no `urn:`).
    package init?(_ text: String) {
        var text = text
        guard let uuid = text.withUTF8({ UUIDBytes(utf8: $0) }) else { return nil }
        self = uuid
    }

    /// The same for bytes, as they stand in a header field or a path.
    package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count == 36 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for index in 0..<36 {
            let byte = bytes[index]
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if digits < 16 { words.0 = words.0 << 4 | UInt64(digit) } else { words.1 = words.1 << 4 | UInt64(digit) }
            digits += 1
        }
        self.init(high: words.0, low: words.1)
    }

    /// The canonical form in lower case.
    package var description: String {
        let text = text
        return text.span.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    /// The same as characters, for where they are only copied on: no string is made.
    package var text: InlineArray<36, UInt8> {
        var text = InlineArray<36, UInt8>(repeating: UInt8(ascii: "-"))
        var index = 0
        let digits = ("0123456789abcdef" as StaticString).utf8Start
        // Digits of `word` from the top, `count` of them after `skipped`, and the place of a dash.
        func put(_ word: UInt64, skipping skipped: UInt64, _ count: UInt64) {
            var rest = word &<< (4 &* skipped)
            for _ in 0..<count {
                text[index] = digits[Int(rest &>> 60)]
                rest &<<= 4
                index &+= 1
            }
            index &+= 1
        }
        put(high, skipping: 0, 8)
        put(high, skipping: 8, 4)
        put(high, skipping: 12, 4)
        put(low, skipping: 0, 4)
        put(low, skipping: 4, 12)
        return text
    }
}
