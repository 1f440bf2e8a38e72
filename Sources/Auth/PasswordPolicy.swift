package import PlaygroundCore

/// Which passwords an account may have. Length is counted in Unicode scalars, as NIST SP 800-63B counts characters, and the
/// password is taken exactly as received: nothing is trimmed, cut, folded or normalised, and no kind of character is asked for.
package enum PasswordPolicy {
    /// Unicode scalars.
    package static let length = 8...128

    /// - Parameter email: whose account it is to be; nil where that is not known.
    /// - Throws: `invalid_request` that names the field `password`, for a wrong length or a password that is commonly guessed.
    package static func check(_ password: String, for email: EmailAddress?) throws(ServiceError) {
        let count = password.unicodeScalars.count
        if count < length.lowerBound {
            throw refused(.tooShort, "A password has at least \(length.lowerBound) characters")
        }
        if count > length.upperBound {
            throw refused(.tooLong, "A password has at most \(length.upperBound) characters")
        }
        let lowercased = password.lowercased()
        guard lowercased != email?.description, lowercased != email.map({ String($0.localPart) }) else {
            throw refused(.invalidValue, "The password is the e-mail address")
        }
        guard !CommonPasswords.contains(password) else {
            throw refused(.invalidValue, "This password is among the first that attackers try; choose another")
        }
    }

    private static func refused(_ code: ErrorCode, _ detail: String) -> ServiceError {
        ServiceError(fields: [FieldError("password", code, detail)])
    }
}
