import PlaygroundCore
package import StrictJSON

/// The keys of a provider that an ID token may be signed with (RFC 7517). Keys that cannot be used are left out, not errors:
/// a set may well hold keys for other purposes, or of kinds that came later.
package struct JSONWebKeySet: Sendable {
    /// More than any provider has; those behind are not looked at.
    static let maximumKeys = 64
    /// So many signatures are checked for one token at most.
    static let maximumAttempts = 8

    struct Entry: Sendable {
        let id: String?
        let key: PublicKey
    }

    let entries: [Entry]

    /// Nil where there is no object with an array `keys`.
    package init?(_ value: JSONValue) {
        guard let keys = value.object?["keys"]?.array else { return nil }
        entries = keys.prefix(Self.maximumKeys).compactMap { $0.object.flatMap { Self.entry($0) } }
    }

    init(_ entries: [Entry]) { self.entries = entries }

    /// How many keys can be used.
    package var count: Int { entries.count }

    /// The keys a token may be signed with: of its algorithm, and of its key id where it has one. A key without an id may be any.
    func candidates(_ algorithm: SignatureAlgorithm, id: String?) -> [PublicKey] {
        let usable = entries.filter { entry in
            guard entry.key.algorithm == algorithm else { return false }
            guard let id, let own = entry.id else { return true }
            return own.hasBytes(of: id)
        }
        return usable.prefix(Self.maximumAttempts).map(\.key)
    }

    /// Whether there is a key of exactly this id.
    func names(_ id: String?, _ algorithm: SignatureAlgorithm) -> Bool {
        guard let id else { return false }
        return entries.contains { $0.key.algorithm == algorithm && $0.id?.hasBytes(of: id) == true }
    }

    private static func entry(_ object: JSONObject) -> Entry? {
        if let use = object["use"], use.string != "sig" { return nil }
        if let operations = object["key_ops"] {
            guard let operations = operations.array, operations.contains(.string("verify")) else { return nil }
        }
        let id = object["kid"]
        guard id == nil || id?.string != nil, let key = key(object) else { return nil }
        if let algorithm = object["alg"], !key.algorithm.names.contains(algorithm.string ?? "") { return nil }
        return Entry(id: id?.string, key: key)
    }

    private static func key(_ object: JSONObject) -> PublicKey? {
        switch object["kty"]?.string {
        case "RSA":
            guard let modulus = bytes(object["n"]), let exponent = bytes(object["e"]) else { return nil }
            return PublicKey(modulus: modulus, exponent: exponent)
        case "EC":
            guard object["crv"]?.string == "P-256", let x = bytes(object["x"]), let y = bytes(object["y"]) else { return nil }
            return PublicKey(x: x, y: y)
        case "OKP":
            guard object["crv"]?.string == "Ed25519", let x = bytes(object["x"]) else { return nil }
            return PublicKey(ed25519: x)
        default: return nil
        }
    }

    private static func bytes(_ value: JSONValue?) -> [UInt8]? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        return Base64.url.decode(text.utf8)
    }
}
