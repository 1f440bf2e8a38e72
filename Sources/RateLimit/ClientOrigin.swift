import PlaygroundCore

/// Where a client is, as the limits on log-ins see it: the text of two blocks of addresses.
package struct ClientOrigin: Sendable, Equatable {
    /// What an account's delay and its good history go by: the /24 of an IPv4 address, the /56 of an IPv6 one. Wide enough that a
    /// person stays in it when the provider gives them another address.
    package let network: String

    /// What one client's attempts on all accounts are counted by. An IPv4 address itself: the /24 around it belongs to many
    /// people, and one of them must not keep the others out. The /56 of an IPv6 address: that is what one customer is given, and
    /// any address in it is theirs for nothing.
    package let address: String

    /// - Parameter text: the client's numeric address. Those that cannot be read count as one.
    package init(_ text: String) {
        // A link-local peer's address has its interface behind a percent sign.
        guard let address = IPAddress(String(text.prefix { $0 != "%" }))?.unmapped else {
            (network, self.address) = ("unknown", "unknown")
            return
        }
        let length = address.isIPv4 ? 24 : 56
        network = "\(address.network(length))/\(length)"
        self.address = address.isIPv4 ? address.description : network
    }
}
