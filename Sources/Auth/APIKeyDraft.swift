package import PlaygroundCore

/// A key that somebody wants to have.
package struct APIKeyDraft: Sendable, Equatable {
    package let name: String
    /// At least one; each once.
    package let scopes: [Scope]
    package let requestsPerMinute: Int64?
    /// Judged by the database, whose clock counts.
    package let expiresAt: Timestamp?

    /// - Throws: `invalid_request` and its like, with every field that cannot be used.
    package static func parse(body: Span<UInt8>) throws(ServiceError) -> APIKeyDraft {
        var reader = try FieldReader(
            body: body, ignoring: ["id", "prefix", "created_at", "last_used_at"])
        let name = reader.requiredString("name", characters: 1...100)
        var scopes: [Scope] = []
        let texts = reader.strings("scopes", atMost: Scope.allCases.count, characters: 1...32)
        reader.require("scopes")
        for text in texts {
            if let scope = Scope(rawValue: text), !scopes.contains(scope) {
                scopes.append(scope)
            } else {
                reader.note("scopes", .invalidValue, "has to name each of `complete`, `presets` and `usage:read` once at most")
                break
            }
        }
        let requestsPerMinute = reader.integer("requests_per_minute", in: 1...1_000_000)
        var expiresAt: Timestamp?
        if let text = reader.string("expires_at", characters: 1...64) {
            expiresAt = Timestamp(text)
            if expiresAt == nil { reader.note("expires_at", .invalidValue, "has to be a moment like 2027-01-31T12:00:00Z") }
        }
        try reader.finish()
        return APIKeyDraft(name: name, scopes: scopes, requestsPerMinute: requestsPerMinute, expiresAt: expiresAt)
    }
}
