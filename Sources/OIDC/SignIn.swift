package import PlaygroundCore

/// Logging in through identity providers, as one loop serves it: off to the provider, back from it, and the exchange of what came
/// back. The session itself is somebody else's business. Belongs to its loop.
///
/// A log-in is bound three times: its state is good once, in the browser that it began in (a cookie), and what comes back is
/// worth something only to the frontend that has the verifier (PKCE). So neither a code from elsewhere nor an address that
/// somebody was lured to logs anybody in.
package final class SignIn {
    /// Log-ins of one network that may be under way: each is a row for ten minutes.
    private static let maximumUnderWay = 300

    /// What a first log-in makes has to have ids, and times have to come from somewhere.
    package struct Surroundings {
        /// Microseconds since 1970.
        let now: () -> Int64
        let newUser: () -> UserID
        let newIdentity: () -> IdentityID
        /// The form in which accounts have an address; nil for what is none.
        let accountEmail: (String) -> String?

        package init(
            now: @escaping () -> Int64, newUser: @escaping () -> UserID, newIdentity: @escaping () -> IdentityID,
            accountEmail: @escaping (String) -> String?
        ) {
            self.now = now
            self.newUser = newUser
            self.newIdentity = newIdentity
            self.accountEmail = accountEmail
        }
    }

    /// Where somebody who logs in is sent.
    package enum Departure: Sendable {
        /// To a page of the provider, with a cookie for the browser.
        case provider(address: String, browser: RandomToken)
        /// Back to where they came from: the log-in has not begun.
        case frontend(Arrival)
    }

    /// Where somebody is sent back to, and what went wrong where something did.
    package struct Arrival: Sendable {
        /// The frontend's, with a code or an error.
        package let address: String
        package let failure: ServiceError?
    }

    private let providers: [Provider]
    private let redirects: RedirectAllowList
    private let publicURL: String
    private let isRegistrationOpen: Bool
    private let store: LoginStore
    private let transport: ProviderTransport
    private let surroundings: Surroundings

    /// - Parameter publicURL: of this API, without a slash at its end.
    package init(
        providers: [Provider], redirects: RedirectAllowList, publicURL: String, isRegistrationOpen: Bool, store: LoginStore,
        transport: ProviderTransport, surroundings: Surroundings
    ) {
        self.providers = providers
        self.redirects = redirects
        self.publicURL = publicURL
        self.isRegistrationOpen = isRegistrationOpen
        self.store = store
        self.transport = transport
        self.surroundings = surroundings
    }

    /// - Throws: `not_found`.
    package func provider(_ id: String) throws(ServiceError) -> Provider {
        guard let provider = providers.first(where: { $0.configuration.id == id }) else {
            throw ServiceError(.notFound, "There is no such provider")
        }
        return provider
    }

    // MARK: Through the browser

    /// Begins a log-in. Once the frontend is known, whatever goes wrong is told to it: a browser has nobody to read a problem.
    /// - Parameters:
    ///   - browser: of a log-in that the browser began before; it may have several under way.
    ///   - network: what attempts are counted by.
    /// - Throws: `invalid_request` with what the frontend has to mend.
    package func begin(
        _ provider: Provider, _ request: LoginRequest, browser: RandomToken?, network: String
    ) async throws(ServiceError) -> Departure {
        let wish = try request.wish(redirects)
        do throws(LoginFailure) {
            let metadata = try await metadata(provider)
            let secrets = try await secrets(provider, wish, browser: browser, network: network)
            return .provider(address: address(provider.configuration, metadata, secrets), browser: secrets.browser)
        } catch {
            return .frontend(wish.arrival(error))
        }
    }

    private func metadata(_ provider: Provider) async throws(LoginFailure) -> ProviderMetadata {
        do throws(ProviderFailure) { return try await provider.metadata(over: transport) } catch { throw .provider(error) }
    }

    private func secrets(
        _ provider: Provider, _ wish: LoginStore.Wish, browser: RandomToken?, network: String
    ) async throws(LoginFailure) -> LoginSecrets {
        do throws(ServiceError) {
            let fresh = try RandomToken()
            let secrets = LoginSecrets(state: try RandomToken(), browser: browser ?? fresh)
            try await store.begin(
                secrets, provider: provider.configuration.id, wish: wish, network: network, atMost: Self.maximumUnderWay)
            return secrets
        } catch {
            throw .service(error)
        }
    }

    private func address(
        _ configuration: ProviderConfiguration, _ metadata: ProviderMetadata, _ secrets: LoginSecrets
    ) -> String {
        var items = [
            (name: "response_type", value: "code"), (name: "client_id", value: configuration.clientID),
            (name: "redirect_uri", value: callback(configuration)),
            (name: "scope", value: configuration.scopes.joined(separator: " ")), (name: "state", value: secrets.state.text),
            (name: "nonce", value: secrets.nonce), (name: "code_challenge", value: secrets.challenge),
            (name: "code_challenge_method", value: "S256"),
        ]
        if configuration.responseMode == .formPost { items.append(("response_mode", configuration.responseMode.rawValue)) }
        return RedirectAllowList.adding(items, to: metadata.authorizationEndpoint.text)
    }

    /// Goes on with a log-in that has come back. Once it is known which one it is, whatever goes wrong is told to its frontend.
    /// - Throws: `login_attempt_invalid`; `database_unavailable`.
    package func finish(
        _ provider: Provider, _ answer: ProviderAnswer, browser: RandomToken?
    ) async throws(ServiceError) -> Arrival {
        guard let state = answer.state.flatMap({ RandomToken($0) }), let browser else { throw ServiceError(.loginAttemptInvalid) }
        let secrets = LoginSecrets(state: state, browser: browser)
        guard let wish = try await store.take(secrets, provider: provider.configuration.id) else {
            throw ServiceError(.loginAttemptInvalid)
        }
        do throws(LoginFailure) {
            let person = try await person(provider, answer, secrets)
            let code = try await issueCode(person, challenge: wish.challenge)
            return Arrival(address: wish.address(with: [("code", code.text)]), failure: nil)
        } catch {
            return wish.arrival(error)
        }
    }

    private func issueCode(_ person: IDToken, challenge: String) async throws(LoginFailure) -> RandomToken {
        do throws(ServiceError) {
            let code = try RandomToken()
            try await store.issue(code, challenge: challenge, for: person)
            return code
        } catch {
            throw .service(error)
        }
    }

    private func person(
        _ provider: Provider, _ answer: ProviderAnswer, _ secrets: LoginSecrets
    ) async throws(LoginFailure) -> IDToken {
        let configuration = provider.configuration
        let now = surroundings.now() / 1_000_000
        let metadata = try await metadata(provider)
        // RFC 9207: the answer of another provider is not exchanged at this one.
        if answer.issuer.map({ !$0.hasBytes(of: configuration.issuer.text) }) ?? metadata.namesIssuerInAnswers {
            throw .provider(ProviderFailure("callback: the answer is that of another issuer"))
        }
        if let word = answer.error { throw .refused(word, reason: answer.reason) }
        guard let code = answer.code else { throw .provider(ProviderFailure("callback: neither a code nor an error")) }
        let token: String
        do throws(ProviderFailure) {
            let exchange = CodeExchange(
                configuration: configuration, credential: provider.credential, metadata: metadata,
                redirectURI: callback(configuration))
            token = try await exchange.idToken(code: code, verifier: secrets.verifier, now: now, over: transport)
        } catch {
            throw .provider(error)
        }
        do throws(ServiceError) {
            return normalized(
                try await provider.verify(token, from: .provider, nonce: .plain(secrets.nonce), now: now, over: transport))
        } catch {
            throw .service(error)
        }
    }

    // MARK: What came back

    /// Exchanges a code for the account it stands for, which is made where there is none.
    /// - Throws: `login_attempt_invalid`; `registration_closed`; `database_unavailable`.
    package func redeem(code: String, verifier: String) async throws(ServiceError) -> LoggedInUser {
        guard let code = RandomToken(code) else { throw ServiceError(.loginAttemptInvalid) }
        return try await store.redeem(
            code, challenge: LoginSecrets.challenge(of: verifier), ids: newIDs, mayRegister: isRegistrationOpen)
    }

    /// Gives the identity that a code stands for to a user who is logged in.
    /// - Throws: `login_attempt_invalid`; `identity_in_use`; `database_unavailable`.
    package func link(
        code: String, verifier: String, to user: UserID, id: IdentityID
    ) async throws(ServiceError) -> Identity {
        guard let code = RandomToken(code) else { throw ServiceError(.loginAttemptInvalid) }
        return try await store.link(code, challenge: LoginSecrets.challenge(of: verifier), to: user, id: id)
    }

    /// Logs in with an ID token that an app got by itself.
    /// - Parameter nonce: that the app made for it; the token bears it or its SHA-256.
    /// - Throws: `id_token_invalid`; `registration_closed`; `identity_provider_error`; `database_unavailable`.
    package func signIn(_ provider: Provider, idToken: String, nonce: String) async throws(ServiceError) -> LoggedInUser {
        let now = surroundings.now() / 1_000_000
        let person = try await provider.verify(
            idToken, from: .client, nonce: .plainOrHashed(nonce), now: now, over: transport)
        return try await store.signIn(normalized(person), ids: newIDs, mayRegister: isRegistrationOpen)
    }

    // MARK: Parts

    private var newIDs: LoginStore.NewIDs {
        LoginStore.NewIDs(user: surroundings.newUser(), identity: surroundings.newIdentity())
    }

    private func callback(_ configuration: ProviderConfiguration) -> String {
        "\(publicURL)/api/auth/oidc/\(configuration.id)/callback"
    }

    private func normalized(_ person: IDToken) -> IDToken {
        IDToken(
            issuer: person.issuer, subject: person.subject, email: person.email.flatMap(surroundings.accountEmail),
            isEmailVerified: person.isEmailVerified, nonce: person.nonce)
    }
}

/// Why a log-in came to nothing.
private enum LoginFailure: Error {
    /// The provider says so, by one of our words and one of its own.
    case refused(String, reason: String)
    case provider(ProviderFailure)
    case service(ServiceError)

    /// For the frontend (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
    var word: String {
        switch self {
        case .refused(let word, _): word
        case .provider: "temporarily_unavailable"
        case .service(let error):
            switch error.code {
            case .idTokenInvalid, .internalError: "server_error"
            default: "temporarily_unavailable"
            }
        }
    }

    var cause: ServiceError {
        switch self {
        case .refused(_, let reason):
            ServiceError(
                .identityProviderError, cause: "callback: the provider's answer is \(reason.isEmpty ? "an error" : reason)")
        case .provider(let failure): failure.serviceError
        case .service(let error): error
        }
    }
}

extension LoginStore.Wish {
    /// Back to the frontend with nothing but the reason.
    fileprivate func arrival(_ failure: LoginFailure) -> SignIn.Arrival {
        SignIn.Arrival(address: address(with: [("error", failure.word)]), failure: failure.cause)
    }

    /// The frontend's address with an answer, and its own state.
    fileprivate func address(with items: [(name: String, value: String)]) -> String {
        RedirectAllowList.adding(items + (state.map { [("state", $0)] } ?? []), to: redirectURI)
    }
}
