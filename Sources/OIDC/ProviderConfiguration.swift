package import PlaygroundCore

/// How an identity provider is asked, as the operator configured it.
package struct ProviderConfiguration: Sendable {
    /// How the provider's answer comes back through the browser.
    package enum ResponseMode: String, Sendable, CaseIterable {
        case query
        /// As a form that the provider's page posts.
        case formPost = "form_post"
    }

    /// Stands in the paths of routes: letters, digits, `-` and `_`.
    package let id: String
    /// For a button: "Log in with …".
    package let displayName: String
    /// Byte for byte as the provider names itself.
    package let issuer: EndpointURL
    package let clientID: String
    /// The client ids that ID tokens may be meant for; `clientID` is one of them.
    package let audiences: [String]
    package let credential: ClientCredential
    /// What is asked for; `openid` is among them.
    package let scopes: [String]
    package let responseMode: ResponseMode

    package init(
        id: String, displayName: String, issuer: EndpointURL, clientID: String, audiences: [String] = [],
        credential: ClientCredential = .none, scopes: [String] = ["openid", "email"], responseMode: ResponseMode = .query
    ) {
        self.id = id
        self.displayName = displayName
        self.issuer = issuer
        self.clientID = clientID
        self.audiences = [clientID] + audiences.filter { !$0.hasBytes(of: clientID) }
        self.credential = credential
        self.scopes = (scopes.contains("openid") ? [] : ["openid"]) + scopes
        self.responseMode = responseMode
    }
}

/// How we show a provider that a request is ours.
package enum ClientCredential: Sendable {
    /// A public client: PKCE alone.
    case none
    case secret(Secret)
    /// A secret that is a signed token with an end of its own.
    case signed(SignedSecret)
}
