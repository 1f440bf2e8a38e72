/// Reads a Cookie field's value: `name=value` pairs separated by `;` (RFC 6265 4.2.1).
package enum CookieField {
    /// The value of the first cookie called `name`, which is compared with case. Nil where there is none, or where its
    /// value is not one a server can have set: cookie-octets, possibly inside a pair of double quotes, which are taken off.
    package static func value(of name: String, in bytes: Span<UInt8>) -> String? {
        var start = 0
        while start < bytes.count {
            let end = bytes.firstIndex(of: 0x3b, from: start, to: bytes.count) ?? bytes.count
            let pair = bytes.trimmed(start, end)
            if let equals = bytes.firstIndex(of: 0x3d, from: Int(pair.start), to: Int(pair.end)),
                isEqual(name, Int(pair.start), equals, bytes)
            {
                return checkedValue(equals + 1, Int(pair.end), bytes)
            }
            start = end + 1
        }
        return nil
    }

    private static func isEqual(_ name: String, _ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> Bool {
        guard name.utf8.count == end - start else { return false }
        var index = start
        for byte in name.utf8 {
            guard bytes[index] == byte else { return false }
            index += 1
        }
        return true
    }

    private static func checkedValue(_ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> String? {
        var start = start
        var end = end
        if end - start >= 2, bytes[start] == 0x22, bytes[end - 1] == 0x22 {
            start += 1
            end -= 1
        }
        for index in start..<end where !ByteSet.cookieOctet.contains(bytes[index]) { return nil }
        return ByteRange(start, end).string(in: bytes)
    }
}
