package import PlaygroundCore

/// A provider that could not be asked, or answered what cannot be used.
package struct ProviderFailure: Error, Sendable, Equatable {
    /// For the log: what was asked and what went wrong, without anything secret.
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    /// What clients are told: that it was the provider.
    package var serviceError: ServiceError { ServiceError(.identityProviderError, cause: reason) }
}
