import PlaygroundCore

/// An address and a password as somebody registers them.
enum Credentials {
    /// - Throws: `invalid_request` with every field that is wrong, so that a form can show both at once.
    static func checked(email: String, password: String) throws(ServiceError) -> EmailAddress {
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
        return address
    }
}
