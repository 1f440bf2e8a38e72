/// The grammar of `host [":" port]`, as Host and an absolute target carry it (RFC 9110 7.2, RFC 3986 3.2).
enum Authority {
    /// Whether `range` names a host: a registered name, an IPv4 address or a bracketed IPv6 address, and a port up to 65535.
    ///
    /// An empty host is refused: no http URI has one (RFC 9110 4.2.1). So are user information and zone identifiers.
    static func isValid(_ range: ByteRange, in bytes: Span<UInt8>) -> Bool {
        var index = Int(range.start)
        let end = Int(range.end)
        guard index < end else { return false }
        if bytes[index] == 0x5b {
            guard let close = bytes.firstIndex(of: 0x5d, from: index, to: end), isIPv6(index + 1, close, bytes) else {
                return false
            }
            index = close + 1
        } else {
            let start = index
            while true {
                while index < end, ByteSet.registeredName.contains(bytes[unchecked: index]) { index &+= 1 }
                guard index < end, bytes[index] == 0x25 else { break }
                guard let byte = PercentEncoding.decodedByte(at: index, before: end, bytes), byte > 0x20, byte != 0x7f else {
                    return false
                }
                index += 3
            }
            guard index > start else { return false }
        }
        guard index < end else { return true }
        return bytes[index] == 0x3a && isPort(index + 1, end, bytes)
    }

    /// The port may be empty (RFC 3986 3.2.3).
    private static func isPort(_ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> Bool {
        guard end - start <= 5 else { return false }
        var port = 0
        for index in start..<end {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return false }
            port = port * 10 + Int(digit)
        }
        return port <= 65535
    }

    /// Up to eight groups of one to four hexadecimal digits, one `::`, the last two groups possibly written as IPv4.
    private static func isIPv6(_ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> Bool {
        var index = start
        var groups = 0
        var hasGap = false
        if end - index >= 2, bytes[index] == 0x3a {
            guard bytes[index + 1] == 0x3a else { return false }
            hasGap = true
            index += 2
        }
        while index < end {
            let groupStart = index
            while index < end, index - groupStart < 5, bytes[index].hexDigitValue != nil { index += 1 }
            if index < end, bytes[index] == 0x2e {
                guard isIPv4(groupStart, end, bytes) else { return false }
                groups += 2
                index = end
                break
            }
            guard 1...4 ~= index - groupStart else { return false }
            groups += 1
            guard index < end else { break }
            guard bytes[index] == 0x3a, index + 1 < end else { return false }
            index += 1
            if bytes[index] == 0x3a {
                guard !hasGap else { return false }
                hasGap = true
                index += 1
            }
        }
        return hasGap ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> Bool {
        var octets = 0
        var digits = 0
        var value = 0
        for index in start..<end {
            if bytes[index] == 0x2e {
                guard digits > 0, octets < 3 else { return false }
                octets += 1
                digits = 0
                value = 0
            } else {
                let digit = bytes[index] &- 0x30
                guard digit < 10, digits == 0 || value > 0 else { return false }
                value = value * 10 + Int(digit)
                digits += 1
                guard value <= 255 else { return false }
            }
        }
        return octets == 3 && digits > 0
    }
}

extension Span<UInt8> {
    /// The first `byte` in `start..<end`.
    func firstIndex(of byte: UInt8, from start: Int, to end: Int) -> Int? {
        var index = start
        while index < end {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }
}
