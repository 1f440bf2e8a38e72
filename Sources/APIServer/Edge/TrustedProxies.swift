import HTTPServer
import PlaygroundCore

/// Who the client is: the peer, or what a trusted proxy in front says (right-most untrusted hop of X-Forwarded-For).
struct TrustedProxies: Sendable {
    /// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.
    struct Network: Sendable, Equatable {
        let address: [UInt8]
        let prefixLength: Int

        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let address = IPAddress(String(parts[0]))?.bytes else { return nil }
            self.address = address
            if parts.count == 2 {
                guard let length = Int(parts[1]), (0...address.count * 8).contains(length) else { return nil }
                prefixLength = length
            } else {
                prefixLength = address.count * 8
            }
        }

        func contains(_ other: [UInt8]) -> Bool {
            guard other.count == address.count else { return false }
            let whole = prefixLength / 8
            guard other[..<whole] == address[..<whole] else { return false }
            let rest = prefixLength % 8
            if rest == 0 { return true }
            let mask = ~UInt8(truncatingIfNeeded: 0xFF >> rest)
            return other[whole] & mask == address[whole] & mask
        }
    }

    let networks: [Network]

    /// The address that limits and logs go by.
    func clientAddress(of request: Request) -> String {
        let peer = request.peerAddress
        guard !networks.isEmpty, isTrusted(peer) else { return peer }
        let hops = request.values(of: .forwardedFor).flatMap { $0.split(separator: ",") }.map(\.trimmed)
        var client = peer
        for hop in hops.reversed() {
            // Nonsense from here on to the left was written by somebody nobody vouches for.
            guard IPAddress(hop) != nil else { return client }
            client = hop
            if !isTrusted(hop) { return client }
        }
        return client
    }

    private func isTrusted(_ address: String) -> Bool {
        guard let bytes = IPAddress(address)?.bytes else { return false }
        return networks.contains { $0.contains(bytes) }
    }
}
