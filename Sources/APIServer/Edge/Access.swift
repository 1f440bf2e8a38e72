import PlaygroundCore

/// Who may use a route, of those who have shown who they are.
enum Access: Sendable, Equatable {
    /// People alone. No program's key, whatever it is good for: what no other word is said of.
    case session
    /// Everybody, also any key.
    case anybody
    /// People, and keys with this scope.
    case scope(Scope)

    /// - Throws: `insufficient_scope` for a key that is not good for the route.
    func check(_ principal: Principal) throws(ServiceError) {
        guard let key = principal.key else { return }
        switch self {
        case .anybody: return
        case .scope(let scope): try Access.require(scope, of: key)
        case .session: throw ServiceError(.insufficientScope, "An API key is good for no such request: log in")
        }
    }

    /// The same for a scope that a request needs besides its route's.
    static func require(_ scope: Scope, of key: APIKeyGrant?) throws(ServiceError) {
        guard let key, !key.scopes.contains(scope) else { return }
        throw ServiceError(insufficientScope: scope)
    }
}
