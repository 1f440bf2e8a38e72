import PlaygroundCore

/// What a frontend sends a browser off with, unchecked.
package struct LoginRequest: Sendable {
    static let maximumStateLength = 512

    private let redirectURI: String?
    private let state: String?
    private let challenge: String?
    private let method: String?

    /// - Parameter method: of the challenge; S256 where nothing is said.
    package init(redirectURI: String?, state: String?, challenge: String?, method: String?) {
        self.redirectURI = redirectURI
        self.state = state
        self.challenge = challenge
        self.method = method
    }

    /// - Throws: `invalid_request` with everything that cannot be used.
    func wish(_ redirects: RedirectAllowList) throws(ServiceError) -> LoginStore.Wish {
        var errors: [FieldError] = []
        if let redirectURI {
            if !redirects.permits(redirectURI) {
                errors.append(
                    FieldError("redirect_uri", .invalidValue, "redirect_uri has to be one that the operator has listed"))
            }
        } else {
            errors.append(FieldError("redirect_uri", .required, "redirect_uri is required"))
        }
        if let challenge {
            if RandomToken(challenge) == nil {
                errors.append(
                    FieldError("code_challenge", .invalidValue, "code_challenge has to be the base64url of a SHA-256 (RFC 7636)"))
            }
        } else {
            errors.append(FieldError("code_challenge", .required, "code_challenge is required"))
        }
        if let method, method != "S256" {
            errors.append(FieldError("code_challenge_method", .invalidValue, "code_challenge_method has to be S256"))
        }
        if let state, state.utf8.count > Self.maximumStateLength || !state.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) {
            errors.append(
                FieldError("state", .invalidValue, "state may have \(Self.maximumStateLength) characters of ASCII at most"))
        }
        guard errors.isEmpty, let redirectURI, let challenge else { throw ServiceError(fields: errors) }
        return LoginStore.Wish(redirectURI: redirectURI, state: state, challenge: challenge)
    }
}

/// What a provider sends a browser back with, unchecked.
package struct ProviderAnswer: Sendable {
    private static let maximumCodeLength = 4096
    /// What a frontend is told of; of the others, that something went wrong.
    private static let errors: Set = [
        "access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required",
        "invalid_scope",
        "temporarily_unavailable",
    ]

    let state: String?
    /// Nil where there is none, or none that could be one.
    let code: String?
    /// One of a few words.
    let error: String?
    /// The provider's own word, for the log; empty where it is none that may stand there.
    let reason: String
    /// RFC 9207.
    let issuer: String?

    package init(state: String?, code: String?, error: String?, issuer: String?) {
        self.state = state
        self.code = code.flatMap { (1...Self.maximumCodeLength).contains($0.utf8.count) ? $0 : nil }
        self.issuer = issuer
        reason = error.map(CodeExchange.errorName) ?? ""
        // One provider has a word of its own for it.
        self.error = error.map {
            $0 == "user_cancelled_authorize" ? "access_denied" : Self.errors.contains($0) ? $0 : "server_error"
        }
    }
}
