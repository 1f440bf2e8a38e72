/// Base64 without padding (RFC 4648), canonical in both directions: every byte string has one text, every other text is refused.
///
/// Refused when decoding: padding, white space, characters of the other alphabet, a length of 4n + 1, and last characters
/// whose unused bits are not zero (RFC 4648, section 3.5), so that no token has a second spelling.
package struct Base64: Sendable {
    /// `-` and `_`: goes into headers, cookies and URLs as it is.
    package static let url = Base64(lastTwo: (UInt8(ascii: "-"), UInt8(ascii: "_")))
    /// `+` and `/`: what `openssl rand -base64` and PHC strings use.
    package static let standard = Base64(lastTwo: (UInt8(ascii: "+"), UInt8(ascii: "/")))

    private let characters: [UInt8]
    /// 0 to 63, or 255 for what is no character of the alphabet.
    private let values: [UInt8]

    private init(lastTwo: (UInt8, UInt8)) {
        let letters = Array(UInt8(ascii: "A")...UInt8(ascii: "Z")) + Array(UInt8(ascii: "a")...UInt8(ascii: "z"))
        let characters = letters + Array(UInt8(ascii: "0")...UInt8(ascii: "9")) + [lastTwo.0, lastTwo.1]
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in characters.enumerated() { values[Int(character)] = UInt8(value) }
        self.characters = characters
        self.values = values
    }

    /// How many bytes a text of this length holds; nil where no text has this length.
    package static func decodedCount(_ textCount: Int) -> Int? {
        textCount % 4 == 1 ? nil : textCount / 4 * 3 + max(0, textCount % 4 - 1)
    }

    /// Writes the decoded bytes to `output` and returns how many; nil where the text is not canonical or does not fit.
    package func decode(_ text: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        guard let count = Self.decodedCount(text.count), count <= output.count else { return nil }
        return values.withUnsafeBufferPointer { values in
            var bits: UInt32 = 0
            var seen: UInt8 = 0
            var read = 0
            var written = 0
            while read + 4 <= text.count {
                let a = values[Int(text[read])], b = values[Int(text[read + 1])]
                let c = values[Int(text[read + 2])], d = values[Int(text[read + 3])]
                seen |= a | b | c | d
                bits = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
                output[written] = UInt8(truncatingIfNeeded: bits >> 16)
                output[written + 1] = UInt8(truncatingIfNeeded: bits >> 8)
                output[written + 2] = UInt8(truncatingIfNeeded: bits)
                read += 4
                written += 3
            }
            bits = 0
            let rest = text.count - read
            while read < text.count {
                seen |= values[Int(text[read])]
                bits = bits << 6 | UInt32(values[Int(text[read])])
                read += 1
            }
            // A value that is no character is 255; every other is below 64.
            guard seen < 64 else { return nil }
            if rest == 2 {
                guard bits & 0x0F == 0 else { return nil }
                output[written] = UInt8(truncatingIfNeeded: bits >> 4)
            } else if rest == 3 {
                guard bits & 0x03 == 0 else { return nil }
                output[written] = UInt8(truncatingIfNeeded: bits >> 10)
                output[written + 1] = UInt8(truncatingIfNeeded: bits >> 2)
            }
            return count
        }
    }

    /// The decoded bytes; nil where the text is not canonical.
    package func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let text = Array(text)
        guard let count = Self.decodedCount(text.count) else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            written = text.withUnsafeBufferPointer { decode($0, into: buffer) } ?? 0
        }
        return bytes.count == count ? bytes : nil
    }

    /// The one text of these bytes.
    package func encode(_ bytes: Span<UInt8>) -> String {
        let length = (bytes.count * 4 + 2) / 3
        return String(unsafeUninitializedCapacity: length) { text in
            var bits: UInt32 = 0
            var held: UInt32 = 0
            var written = 0
            for index in bytes.indices {
                bits = bits << 8 | UInt32(bytes[unchecked: index])
                held &+= 8
                while held >= 6 {
                    held &-= 6
                    text[written] = characters[Int(bits >> held & 63)]
                    written &+= 1
                }
            }
            if held > 0 { text[written] = characters[Int(bits << (6 &- held) & 63)] }
            return length
        }
    }

    /// The same for a collection.
    package func encode(_ bytes: some Collection<UInt8>) -> String { encode(Array(bytes).span) }
}
