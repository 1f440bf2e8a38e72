import PlaygroundCore
import StrictJSON

/// A JWS in its compact form (RFC 7515, 7.1), read but not believed: `isSigned(by:)` says whether it may be.
///
/// Only canonical base64url is taken. Keys and addresses of keys in the header are never used, and a header that asks for an
/// extension (`crit`, `b64`) is refused.
struct CompactJWS {
    /// Longer texts are refused unread.
    static let maximumLength = 16 * 1024

    let algorithm: SignatureAlgorithm
    /// The id of the key it was signed with, as its maker says.
    let keyID: String?
    /// The media type its maker says it has.
    let type: String?
    let payload: [UInt8]
    private let message: [UInt8]
    private let signature: [UInt8]

    enum Refusal: Error, Equatable {
        case tooLong
        /// No three parts, or a part that is not canonical base64url.
        case malformed
        /// The header is no JSON object of the strict kind, or has a member of the wrong type or too many.
        case badHeader
        /// `none`, a symmetric one, or any other that is not allowed.
        case algorithmNotAllowed
        /// The header asks for something that must be understood.
        case extensionNotSupported
    }

    init(_ text: String) throws(Refusal) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumLength else { throw .tooLong }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let head = Base64.url.decode(parts[0]), let payload = Base64.url.decode(parts[1]),
            let signature = Base64.url.decode(parts[2])
        else { throw .malformed }
        guard let header = (try? JSONValue(parsing: head))?.object else { throw .badHeader }
        if header["crit"] != nil || header["b64"] != nil { throw .extensionNotSupported }
        guard let name = header["alg"]?.string else { throw .badHeader }
        guard let algorithm = SignatureAlgorithm(rawValue: name) else { throw .algorithmNotAllowed }
        keyID = try Self.string("kid", of: header)
        type = try Self.string("typ", of: header)
        self.algorithm = algorithm
        self.payload = payload
        self.signature = signature
        message = Array(bytes[..<parts[1].endIndex])
    }

    /// Whether one of the keys made the signature.
    func isSigned(by keys: JSONWebKeySet) -> Bool {
        keys.candidates(algorithm, id: keyID).contains { $0.verifies(signature, of: message) }
    }

    /// Whether the set has the very key that this says it was signed with.
    func isKeyKnown(in keys: JSONWebKeySet) -> Bool { keys.names(keyID, algorithm) }

    private static func string(_ name: String, of header: JSONObject) throws(Refusal) -> String? {
        guard let value = header[name] else { return nil }
        guard let string = value.string else { throw .badHeader }
        return string
    }
}
