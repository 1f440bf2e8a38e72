import PlaygroundCore
import StrictJSON

/// The request that turns a provider's code into an ID token (OpenID Connect Core, 3.1.3).
struct CodeExchange {
    let configuration: ProviderConfiguration
    let credential: ClientCredential
    let metadata: ProviderMetadata
    /// Of our callback, as it stood in the authorization request.
    let redirectURI: String

    /// - Parameter now: seconds since 1970.
    /// - Throws: the provider's refusal as well; it does not say which code it was about.
    func idToken(
        code: String, verifier: String, now: Int64, over transport: ProviderTransport
    ) async throws(ProviderFailure) -> String {
        var items = [
            (name: "grant_type", value: "authorization_code"), (name: "code", value: code),
            (name: "redirect_uri", value: redirectURI), (name: "code_verifier", value: verifier),
        ]
        var fields: [(name: String, value: String)] = []
        switch credential {
        case .none:
            items.append(("client_id", configuration.clientID))
        case .secret(let secret):
            let text = secret.withBytes { String(decoding: $0, as: UTF8.self) }
            if metadata.takesBasicAuthentication {
                fields.append(("Authorization", "Basic " + Self.basic(configuration.clientID, text)))
            } else {
                items += [("client_id", configuration.clientID), ("client_secret", text)]
            }
        case .signed(let signed):
            guard let text = signed.text(for: configuration.clientID, now: now) else {
                throw ProviderFailure("token: the client's secret cannot be signed")
            }
            items += [("client_id", configuration.clientID), ("client_secret", text)]
        }
        let answer = try await transport.ask(
            metadata.tokenEndpoint, "token", fields: fields, form: Array(FormFields.encoded(items).utf8))
        let object = (try? JSONValue(parsing: answer.body))?.object
        guard answer.status == 200 else {
            throw ProviderFailure("token: status \(answer.status) \(Self.errorName(object?["error"]?.string))")
        }
        guard let token = object?["id_token"]?.string else { throw ProviderFailure("token: no ID token in the answer") }
        return token
    }

    /// RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
    private static func basic(_ id: String, _ secret: String) -> String {
        let pair = FormFields.encoded(id) + ":" + FormFields.encoded(secret)
        let text = Base64.standard.encode(Array(pair.utf8))
        return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }

    /// RFC 6749, 5.2 and 4.1.2.1, RFC 8707, and OpenID Connect Core, 3.1.2.6.
    private static let errorNames: Set = [
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
        "access_denied", "server_error", "temporarily_unavailable", "invalid_target", "unsupported_response_type",
        "interaction_required", "login_required", "account_selection_required", "consent_required",
    ]

    /// What may stand in a log: a name that is known, for anything else may be our secret, sent back.
    static func errorName(_ name: String?) -> String {
        guard let name, errorNames.contains(name) else { return "" }
        return name
    }
}
