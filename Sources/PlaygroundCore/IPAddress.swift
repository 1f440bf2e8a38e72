import Glibc

/// An IP address in numbers, or the network that the first bits of one name.
package struct IPAddress: Sendable, Hashable {
    /// 4 or 16 bytes, in the network's order.
    package let bytes: [UInt8]

    /// Reads what `inet_pton` reads: dotted decimal, or the forms of RFC 4291, section 2.2, without a zone; nil for all else.
    package init?(_ text: String) {
        var buffer = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &buffer) == 1 {
            bytes = Array(buffer[..<4])
        } else if inet_pton(AF_INET6, text, &buffer) == 1 {
            bytes = buffer
        } else {
            return nil
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Whether it is of IPv4.
    package var isIPv4: Bool { bytes.count == 4 }

    /// The IPv4 address that an IPv4-mapped one (RFC 4291, section 2.5.5.2) stands for; any other as it is.
    package var unmapped: IPAddress {
        guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF else { return self }
        return IPAddress(bytes: Array(bytes[12...]))
    }

    /// The same with all bits behind the first `length` zero. `length` from 0 to the number of its bits.
    package func network(_ length: Int) -> IPAddress {
        IPAddress(
            bytes: bytes.enumerated().map { index, byte in
                let kept = min(max(length - index * 8, 0), 8)
                return byte & ~UInt8(truncatingIfNeeded: 0xFF >> kept)
            })
    }
}

extension IPAddress: CustomStringConvertible {
    /// The usual text; for IPv6 that of RFC 5952.
    package var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            guard inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, text.baseAddress, socklen_t(text.count)) != nil,
                let start = text.baseAddress
            else { return "" }
            return String(cString: start)
        }
    }
}
