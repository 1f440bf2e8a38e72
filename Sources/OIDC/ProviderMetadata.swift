import PlaygroundCore
import StrictJSON

/// What a provider says about itself (OpenID Connect Discovery 1.0), as far as it matters here.
struct ProviderMetadata: Sendable, Equatable {
    let authorizationEndpoint: EndpointURL
    let tokenEndpoint: EndpointURL
    let keysEndpoint: EndpointURL
    /// Whether it takes the client's secret in the Authorization field.
    let takesBasicAuthentication: Bool
    /// Whether its answers name the issuer (RFC 9207), and so have to.
    let namesIssuerInAnswers: Bool

    /// Where it says so: the issuer and a fixed path.
    static func address(of issuer: EndpointURL) throws(EndpointURL.Refusal) -> EndpointURL {
        var base = issuer.text
        while base.last == "/" { base.removeLast() }
        return try EndpointURL(
            base + "/.well-known/openid-configuration", allowsPlainLoopback: issuer.isPlain)
    }

    /// - Parameter issuer: where it was asked for; it has to name itself exactly so.
    init(_ value: JSONValue, issuer: EndpointURL) throws(ProviderFailure) {
        guard let object = value.object else { throw ProviderFailure("discovery: no JSON object") }
        guard object["issuer"]?.string?.hasBytes(of: issuer.text) == true else {
            throw ProviderFailure("discovery: the document is that of another issuer")
        }
        authorizationEndpoint = try Self.endpoint("authorization_endpoint", of: object, issuer)
        tokenEndpoint = try Self.endpoint("token_endpoint", of: object, issuer)
        keysEndpoint = try Self.endpoint("jwks_uri", of: object, issuer)
        // The default of the specification where nothing is said.
        let methods = object["token_endpoint_auth_methods_supported"]?.array?.compactMap(\.string)
        takesBasicAuthentication = methods?.contains("client_secret_basic") ?? true
        namesIssuerInAnswers = object["authorization_response_iss_parameter_supported"]?.bool ?? false
    }

    private static func endpoint(
        _ name: String, of object: JSONObject, _ issuer: EndpointURL
    ) throws(ProviderFailure) -> EndpointURL {
        guard let text = object[name]?.string else { throw ProviderFailure("discovery: \(name) is missing") }
        do {
            // Whoever is reached over TLS does not send anybody elsewhere in the clear.
            return try EndpointURL(text, allowsPlainLoopback: issuer.isPlain)
        } catch {
            throw ProviderFailure("discovery: \(name) \(error.phrase)")
        }
    }
}
