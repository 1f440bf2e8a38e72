import PlaygroundCore

/// Where a session is used from, as its owner is shown it.
package struct SessionOrigin: Sendable, Equatable {
    /// A few words, at most 100 bytes; nil where nothing is known.
    package let device: String?
    /// A numeric address; nil where it is none.
    package let address: String?

    /// - Parameters:
    ///   - userAgent: what the client says it is, unchecked.
    ///   - address: the client's numeric address, with or without a zone.
    package init(userAgent: String?, address: String) {
        device = DeviceName.of(userAgent: userAgent)
        self.address = IPAddress(String(address.prefix { $0 != "%" }))?.unmapped.description
    }

    /// Nothing is known.
    package static let unknown = SessionOrigin(userAgent: nil, address: "")
}
