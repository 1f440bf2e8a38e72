/// Which model a completion runs with.
package struct ModelPolicy: Sendable, Equatable {
    /// The model of a request that names none; always allowed.
    package let defaultModel: String
    /// What a request may name; nil for any.
    package let allowed: Set<String>?

    /// `allowed`: nil for any model.
    package init(defaultModel: String, allowed: Set<String>?) {
        self.defaultModel = defaultModel
        self.allowed = allowed
    }

    /// Whether a request may name this model.
    package func allows(_ model: String) -> Bool {
        guard let allowed else { return true }
        return model == defaultModel || allowed.contains(model)
    }

    /// The model for a request that named `requested`; throws `model_not_allowed`.
    package func model(for requested: String?) throws(ServiceError) -> String {
        guard let requested else { return defaultModel }
        guard allows(requested) else { throw ServiceError(fields: [Self.refusal]) }
        return requested
    }

    static let refusalPhrase = "names a model that may not be used here"
    private static let refusal = FieldError("model", .modelNotAllowed, "model \(refusalPhrase)")
}
