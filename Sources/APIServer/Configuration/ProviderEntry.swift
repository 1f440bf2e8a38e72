import OIDC
import PlaygroundCore
import StrictJSON

/// One element of `providers` in `OIDC_PROVIDERS_FILE`.
struct ProviderEntry {
    private typealias Limits = ProvidersFile.Limits

    private let directory: String
    /// With those that hold its secrets.
    private(set) var files: SecretFiles
    private var reader: FieldReader

    init(_ element: EntriesFile<ProviderConfiguration>.Element, files: SecretFiles) {
        directory = element.directory
        self.files = files
        reader = FieldReader(element.object, path: element.path)
    }

    /// - Throws: every member that cannot be used.
    mutating func provider(allowsPlainLoopback: Bool) throws(ServiceError) -> ProviderConfiguration {
        let id = reader.requiredString("id", characters: Limits.id)
        if !id.utf8.allSatisfy(Self.isIDByte) {
            reader.note("id", .invalidValue, "may have lower-case letters, digits, `-` and `_` only")
        }
        let name = reader.requiredString("display_name", characters: Limits.text)
        let issuer = issuer(allowsPlainLoopback)
        let client = reader.requiredString("client_id", characters: Limits.text)
        let audiences = reader.strings("audiences", atMost: Limits.audiences, characters: Limits.text)
        let credential = credential()
        let scopes = reader.strings("scopes", atMost: Limits.scopes, characters: Limits.text)
        for (index, scope) in scopes.enumerated() where !scope.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) {
            reader.note("scopes.\(index)", .invalidValue, "has a character that no scope has")
        }
        let mode = responseMode()
        try reader.finish()
        guard let issuer else { throw ServiceError(.internalError, cause: "an issuer was neither read nor refused") }
        return ProviderConfiguration(
            id: id, displayName: name, issuer: issuer, clientID: client, audiences: audiences, credential: credential,
            scopes: scopes.isEmpty ? ["openid", "email"] : scopes, responseMode: mode)
    }

    private mutating func issuer(_ allowsPlainLoopback: Bool) -> EndpointURL? {
        let text = reader.requiredString("issuer")
        if text.isEmpty { return nil }
        do {
            let issuer = try EndpointURL(text, allowsPlainLoopback: allowsPlainLoopback)
            if !text.contains("?") { return issuer }
            reader.note("issuer", .invalidValue, "must not have a query")
        } catch {
            let hint = text.hasPrefix("http://") ? " (on this machine OIDC_ALLOW_PLAIN_LOOPBACK=1 allows http)" : ""
            reader.note("issuer", .invalidValue, error.phrase + hint)
        }
        return nil
    }

    private mutating func responseMode() -> ProviderConfiguration.ResponseMode {
        guard let text = reader.string("response_mode") else { return .query }
        if let mode = ProviderConfiguration.ResponseMode(rawValue: text) { return mode }
        let modes = ProviderConfiguration.ResponseMode.allCases.map(\.rawValue).joined(separator: ", ")
        reader.note("response_mode", .invalidValue, "has to be one of: \(modes)")
        return .query
    }

    // MARK: Secrets

    private mutating func credential() -> ClientCredential {
        let given = ["client_secret", "client_secret_file", "signed_secret"].filter { reader.contains($0) }
        if given.count > 1, let last = given.last {
            reader.note(last, .invalidValue, "and \(given[0]) are both given: give one of them")
        }
        var credential = ClientCredential.none
        if let text = reader.string("client_secret", bytes: Limits.secret) {
            credential = .secret(secret(text, "client_secret"))
        }
        if let path = reader.string("client_secret_file", characters: Limits.path) {
            if let bytes = contents(of: path, atMost: Limits.secret) {
                credential = .secret(secret(String(decoding: bytes, as: UTF8.self), "client_secret_file"))
            } else {
                reader.note("client_secret_file", .invalidValue, "names a file that cannot be read or is larger than a secret")
            }
        }
        if let signed = signedSecret() { credential = .signed(signed) }
        return credential
    }

    private mutating func secret(_ text: String, _ name: String) -> Secret {
        let text = text.trimmed
        if text.isEmpty { reader.note(name, .tooShort, "is empty: leave it out for a client without a secret") }
        return Secret(text)
    }

    private mutating func signedSecret() -> SignedSecret? {
        // Read before the inner reader is lent out.
        let (directory, before) = (directory, files)
        var after = before
        let signed = reader.fields("signed_secret") { reader -> SignedSecret? in
            let path = reader.requiredString("key_file", characters: Limits.path)
            let keyID = reader.requiredString("key_id", characters: Limits.text)
            let issuer = reader.requiredString("issuer", characters: Limits.text)
            let audience = reader.requiredString("audience", characters: Limits.text)
            if path.isEmpty { return nil }
            let place = path.hasPrefix("/") ? path : directory + path
            guard let bytes = after.contents(of: place, atMost: Limits.key) else {
                reader.note("key_file", .invalidValue, "names a file that cannot be read or is larger than a key")
                return nil
            }
            let signed = SignedSecret(pem: Secret(bytes: bytes), keyID: keyID, issuer: issuer, audience: audience)
            if signed == nil {
                reader.note("key_file", .invalidValue, "has to hold a private key on P-256 in PEM, without passphrase")
            }
            return signed
        }
        files = after
        return signed ?? nil
    }

    private mutating func contents(of path: String, atMost limit: Int) -> [UInt8]? {
        files.contents(of: path.hasPrefix("/") ? path : directory + path, atMost: limit)
    }

    /// It stands in addresses that are compared byte for byte.
    private static func isIDByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 26 || "-_".utf8.contains(byte)
    }
}
