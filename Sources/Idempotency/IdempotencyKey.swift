package import PlaygroundCore

/// What a client sends as `Idempotency-Key`: its own name for one request, the same when it sends that request again.
package struct IdempotencyKey: Sendable, Hashable {
    /// How many characters it has.
    package static let length = 1...255

    /// Visible ASCII.
    package let text: String

    /// Reads a field's value; throws `invalid_header`.
    package init(_ text: String) throws(ServiceError) {
        guard Self.length.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw ServiceError(
                .invalidHeader, "Idempotency-Key has to be 1 to \(Self.length.upperBound) visible ASCII characters")
        }
        self.text = text
    }

    /// The id of the completion that a user asks for under this key: the same on every replica, and nobody else's.
    package func completionID(of owner: UserID) -> CompletionID {
        CompletionID(SHA256Digest(of: Array("completion:\(owner):\(text)".utf8).span).uuid)
    }
}
