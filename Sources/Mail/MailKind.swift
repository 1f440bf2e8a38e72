/// The mails that are sent. Each has a template, in a file of its name.
package enum MailKind: String, Sendable, CaseIterable {
    /// Somebody forgot the password of this address's account.
    case resetPassword = "reset_password"
    /// An account was made with this address.
    case verifyEmail = "verify_email"
    /// An account is to be known by this address from now on.
    case changeEmail = "change_email"
    /// Told to the old address.
    case emailChanged = "email_changed"
    /// A password was set through a link.
    case passwordChanged = "password_changed"
    /// Somebody tried to register an address that has an account, or to move their account to it.
    case accountExists = "account_exists"
    /// The operator made an account for this address.
    case invitation = "invitation"

    /// What may stand between double braces in a template.
    package enum Placeholder: String, Sendable, CaseIterable {
        /// What `FRONTEND_URL` is, without a slash at its end.
        case frontendURL = "frontend_url"
        /// What makes the link good: once, for its lifetime.
        case token
        /// How long, in words.
        case lifetime
        /// Whom the mail goes to.
        case email
        /// The account's new address.
        case newEmail = "new_email"
    }

    /// Whether the mail brings a link.
    package var hasToken: Bool {
        switch self {
        case .resetPassword, .verifyEmail, .changeEmail, .invitation: true
        case .emailChanged, .passwordChanged, .accountExists: false
        }
    }

    /// What the kind's template may use.
    package var placeholders: Set<Placeholder> {
        var placeholders: Set<Placeholder> = [.frontendURL, .email]
        if hasToken { placeholders.formUnion([.token, .lifetime]) }
        if self == .emailChanged { placeholders.insert(.newEmail) }
        return placeholders
    }

    /// The template where the operator has none, as in `Templates/`.
    var bundledText: String {
        let bytes =
            switch self {
            case .resetPassword: PackageResources.reset_password_txt
            case .verifyEmail: PackageResources.verify_email_txt
            case .changeEmail: PackageResources.change_email_txt
            case .emailChanged: PackageResources.email_changed_txt
            case .passwordChanged: PackageResources.password_changed_txt
            case .accountExists: PackageResources.account_exists_txt
            case .invitation: PackageResources.invitation_txt
            }
        return String(decoding: bytes, as: UTF8.self)
    }
}
