import Glibc

/// The inside of a JSON string as it stands on the wire. What is given here has been checked by a scanner: its escapes
/// are well formed and its other bytes are UTF-8.
enum EscapedText {
    /// Whether an escape names half a surrogate pair: such a text is no Unicode, and strict clients refuse it.
    static func hasLoneSurrogate(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = text.baseAddress else { return false }
        var index = 0
        while let found = memchr(base + index, Int32(UInt8(ascii: "\\")), text.count - index) {
            index = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            let length = escapeLength(text, at: index)
            if length == 6, isSurrogate(text, at: index) { return true }
            index += length
        }
        return false
    }

    /// The largest part of `text` from its start that has at most `limit` bytes and cuts no UTF-8 sequence, no escape and
    /// no pair of escapes. Never empty while `limit` is 12 or more, the length of the longest of these.
    static func safePrefix(of text: UnsafeBufferPointer<UInt8>, limit: Int) -> Int {
        guard text.count > limit, let base = text.baseAddress else { return text.count }
        var index = 0
        while let found = memchr(base + index, Int32(UInt8(ascii: "\\")), limit - index) {
            let escape = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            let end = escape + escapeLength(text, at: escape)
            if end > limit { return escape }
            index = end
        }
        var cut = limit
        while cut > index, text[cut] & 0xC0 == 0x80 { cut -= 1 }
        return cut
    }

    /// How many Unicode scalars the text has, escapes resolved.
    static func scalarCount(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var count = 0
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "\\") {
                count += 1
                index += escapeLength(text, at: index)
            } else {
                // Bytes that begin with the bits 10 go on with a scalar.
                count += text[index] & 0xC0 == 0x80 ? 0 : 1
                index += 1
            }
        }
        return count
    }

    /// The length of the escape whose backslash stands at `index`: two, six, or twelve for a surrogate pair.
    private static func escapeLength(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        guard text[index + 1] == UInt8(ascii: "u") else { return 2 }
        let isPair =
            isSurrogate(text, at: index) && !isLow(text, at: index)
            && index + 12 <= text.count && text[index + 6] == UInt8(ascii: "\\") && text[index + 7] == UInt8(ascii: "u")
            && isSurrogate(text, at: index + 6) && isLow(text, at: index + 6)
        return isPair ? 12 : 6
    }

    /// Whether the `\u` escape at `index` is one of D800 to DFFF.
    private static func isSurrogate(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        text[index + 2] | 0x20 == UInt8(ascii: "d") && text[index + 3] >= UInt8(ascii: "8")
    }

    /// Of a surrogate, whether it is a second half: DC00 to DFFF.
    private static func isLow(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        text[index + 3] | 0x20 >= UInt8(ascii: "c")
    }
}
