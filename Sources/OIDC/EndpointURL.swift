import HTTPClient

/// An address at a provider: https, or plain http on this very machine where that is allowed explicitly.
package struct EndpointURL: Sendable, Equatable {
    /// As it was given.
    package let text: String
    /// Scheme, host and port.
    let origin: Origin
    /// Path and query, as they go into a request line.
    let path: String

    /// Whether it is plain http.
    var isPlain: Bool { origin.scheme == .http }

    static let maximumLength = 2048

    /// Why an address cannot be used; goes on from its name: "must begin with https://".
    package struct Refusal: Error {
        package let phrase: String
    }

    /// - Parameter allowsPlainLoopback: whether `http://` may stand before `localhost` and loopback addresses.
    package init(_ text: String, allowsPlainLoopback: Bool) throws(Refusal) {
        guard text.utf8.count <= Self.maximumLength else { throw Refusal(phrase: "is longer than \(Self.maximumLength) bytes") }
        guard let scheme = text.firstRange(of: "://") else { throw Refusal(phrase: "must begin with https://") }
        let rest = text[scheme.upperBound...]
        if rest.contains("#") { throw Refusal(phrase: "must not have a fragment") }
        guard rest.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
            throw Refusal(phrase: "contains a character that must not stand in a URL")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        do {
            origin = try Origin(baseURL: String(text[..<end]))
        } catch {
            throw Refusal(phrase: error.description)
        }
        guard origin.scheme == .https || (allowsPlainLoopback && origin.isLoopback) else {
            throw Refusal(phrase: "must begin with https://")
        }
        path = rest[end...].first == "/" ? String(rest[end...]) : "/" + rest[end...]
        self.text = text
    }
}
