package import PlaygroundCore

/// An address and a password that an account may have.
package struct NewAccount: Sendable {
    package let email: EmailAddress
    let password: String

    /// - Throws: `invalid_request` with every field that is wrong, so that a form can show both at once.
    package init(email: String, password: String) throws(ServiceError) {
        var wrong: [FieldError] = []
        var address: EmailAddress?
        do {
            address = try EmailAddress(parsing: email)
        } catch {
            wrong += error.errors
        }
        do {
            try PasswordPolicy.check(password, for: address)
        } catch {
            wrong += error.errors
        }
        guard let address, wrong.isEmpty else { throw ServiceError(fields: wrong) }
        self.email = address
        self.password = password
    }
}
