package import PlaygroundCore

/// Which passwords an account may have. Length is counted in Unicode scalars, as NIST SP 800-63B counts characters, and the
/// password is taken exactly as received: nothing is trimmed, cut, folded or normalised, and no kind of character is asked for.
package enum PasswordPolicy {
    /// Unicode scalars.
    package static let length = 8...128

    /// - Parameters:
    ///   - email: whose account it is to be; nil where that is not known.
    ///   - field: what the password is called where it came from.
    /// - Throws: `invalid_request` that names the field, for a wrong length or a password that is commonly guessed.
    package static func check(_ password: String, for email: EmailAddress?, field: String = "password") throws(ServiceError) {
        if let (code, detail) = complaint(about: password, email) {
            throw ServiceError(fields: [FieldError(field, code, detail)])
        }
    }

    private static func complaint(about password: String, _ email: EmailAddress?) -> (ErrorCode, String)? {
        let count = password.unicodeScalars.count
        if count < length.lowerBound { return (.tooShort, "A password has at least \(length.lowerBound) characters") }
        if count > length.upperBound { return (.tooLong, "A password has at most \(length.upperBound) characters") }
        let lowercased = password.lowercased()
        if lowercased == email?.description || lowercased == email.map({ String($0.localPart) }) {
            return (.invalidValue, "The password is the e-mail address")
        }
        if CommonPasswords.contains(password) {
            return (.invalidValue, "This password is among the first that attackers try; choose another")
        }
        return nil
    }
}
