/// What an API key may be good for.
package enum Scope: String, Sendable, CaseIterable {
    /// Completions: asking for one, looking at one, stopping one.
    case complete
    /// Presets: reading and writing them.
    case presets
    /// What was used and what it cost.
    case usageRead = "usage:read"
}

/// What an API key has shown when it comes along.
package struct APIKeyGrant: Sendable, Equatable {
    package let id: APIKeyID
    package let scopes: Set<Scope>
    /// Whether it has a limit of its own, under that of its owner's plan.
    package let isLimited: Bool

    package init(id: APIKeyID, scopes: Set<Scope>, isLimited: Bool) {
        self.id = id
        self.scopes = scopes
        self.isLimited = isLimited
    }
}
