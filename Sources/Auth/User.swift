package import PlaygroundCore

/// An account, as its owner may see it.
package struct User: Sendable, Equatable {
    package let id: UserID
    /// The identity that was registered: an `EmailAddress`.
    package let email: String
    /// Name of the plan.
    package let plan: String
    /// When the account was made, by the database's clock.
    package let createdAt: Timestamp
}
