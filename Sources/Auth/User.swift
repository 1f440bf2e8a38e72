package import PlaygroundCore

/// An account, as its owner may see it.
package struct User: Sendable, Equatable {
    package let id: UserID
    /// The address it is known by, an `EmailAddress`; nil where an identity provider told none that was free.
    package let email: String?
    /// Name of the plan.
    package let plan: String
    /// When the account was made, by the database's clock.
    package let createdAt: Timestamp

    package init(id: UserID, email: String?, plan: String, createdAt: Timestamp) {
        self.id = id
        self.email = email
        self.plan = plan
        self.createdAt = createdAt
    }
}
