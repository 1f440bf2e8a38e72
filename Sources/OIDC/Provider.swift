import EventLoop
package import PlaygroundCore
import StrictJSON
import Synchronization

/// One identity provider, for all loops of the process: how it is configured, and what it has said about itself.
package final class Provider: Sendable {
    package let configuration: ProviderConfiguration
    private let metadata = SharedDocument<ProviderMetadata>()
    private let keys = SharedDocument<JSONWebKeySet>()

    private let latestCredential: Mutex<ClientCredential>

    package init(_ configuration: ProviderConfiguration) {
        self.configuration = configuration
        latestCredential = Mutex(configuration.credential)
    }

    /// How the provider is shown that a request is ours, as it is now.
    var credential: ClientCredential { latestCredential.withLock { $0 } }

    /// Takes the credential of another configuration into use, if that is for the same client of the same provider.
    package func use(_ configuration: ProviderConfiguration) {
        guard configuration.issuer == self.configuration.issuer, configuration.clientID == self.configuration.clientID else {
            return
        }
        latestCredential.withLock { $0 = configuration.credential }
    }

    /// What the provider says about itself, at most an hour old unless it does not answer.
    func metadata(over transport: ProviderTransport) async throws(ProviderFailure) -> ProviderMetadata {
        try await metadata.current(now: SystemClock.monotonicSeconds) { () async throws(ProviderFailure) in
            try await discover(over: transport)
        }.value
    }

    private func discover(over transport: ProviderTransport) async throws(ProviderFailure) -> ProviderMetadata {
        let address: EndpointURL
        do { address = try ProviderMetadata.address(of: configuration.issuer) } catch {
            throw ProviderFailure("discovery: the issuer \(error.phrase)")
        }
        return try ProviderMetadata(
            try await Self.document(address, "discovery", over: transport), issuer: configuration.issuer)
    }

    /// Where an ID token came from.
    package enum TokenSource: Sendable {
        /// The provider has just handed it to us.
        case provider
        /// Anybody.
        case client
    }

    /// Believes an ID token, or says why not. Where none of the known keys has signed it, the provider may have new ones, and is
    /// asked as often as that is allowed: for a token that a client brought only if it names no key that is known.
    /// - Parameter now: seconds since 1970.
    /// - Throws: `id_token_invalid`; `identity_provider_error` where its keys are not known.
    package func verify(
        _ token: String, from source: TokenSource, nonce: IDTokenRules.Nonce, now: Int64, over transport: ProviderTransport
    ) async throws(ServiceError) -> IDToken {
        let rules = IDTokenRules(issuer: configuration.issuer.text, audiences: configuration.audiences)
        let version: SharedDocument<JSONWebKeySet>.Version
        do { version = try await keySet(over: transport) } catch { throw error.serviceError }
        do {
            return try rules.verify(token, keys: version.value, nonce: nonce, now: now)
        } catch {
            let mayBeNew = error == .unknownKey || (error == .badSignature && source == .provider)
            let cause: KeptDocument<JSONWebKeySet>.Cause = source == .provider ? .use : .claim
            guard mayBeNew,
                let newer = try? await keySet(over: transport, rejecting: version.generation, cause: cause)
            else { throw Self.refused(error) }
            do { return try rules.verify(token, keys: newer.value, nonce: nonce, now: now) } catch { throw Self.refused(error) }
        }
    }

    private func keySet(
        over transport: ProviderTransport, rejecting rejected: Int? = nil, cause: KeptDocument<JSONWebKeySet>.Cause = .need
    ) async throws(ProviderFailure) -> SharedDocument<JSONWebKeySet>.Version {
        try await keys.current(now: SystemClock.monotonicSeconds, rejecting: rejected, cause: cause) {
            () async throws(ProviderFailure) in
            try await fetchKeys(over: transport)
        }
    }

    private func fetchKeys(over transport: ProviderTransport) async throws(ProviderFailure) -> JSONWebKeySet {
        let address = try await metadata(over: transport).keysEndpoint
        guard let keys = JSONWebKeySet(try await Self.document(address, "keys", over: transport)) else {
            throw ProviderFailure("keys: no set of keys")
        }
        return keys
    }

    private static func document(
        _ url: EndpointURL, _ what: String, over transport: ProviderTransport
    ) async throws(ProviderFailure) -> JSONValue {
        let answer = try await transport.ask(url, what)
        guard answer.status == 200 else { throw ProviderFailure("\(what): status \(answer.status)") }
        do { return try JSONValue(parsing: answer.body) } catch { throw ProviderFailure("\(what): \(error)") }
    }

    private static func refused(_ refusal: IDTokenRefusal) -> ServiceError {
        ServiceError(.idTokenInvalid, cause: "ID token: \(refusal.rawValue)")
    }
}

extension SystemClock {
    fileprivate static var monotonicSeconds: Int64 { monotonicNanoseconds() / 1_000_000_000 }
}
