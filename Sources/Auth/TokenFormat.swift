import COpenSSL
import PlaygroundCore

/// What a token is good for. The byte stands inside the tag, so a token of one purpose is no token of another.
enum TokenPurpose: UInt8, Sendable, CaseIterable {
    case access = 1
    case load = 2
    case refresh = 3
    // Links of mails. Their numbers leave room for what logs in.
    case passwordReset = 16
    case emailVerification = 17
    case emailChange = 18
    case invitation = 19

    /// What stands in the third of the four characters in front of the text, so that people and secret scanners know what leaked:
    /// `pga_`.
    private var letter: Unicode.Scalar {
        switch self {
        case .access: "a"
        case .load: "l"
        case .refresh: "r"
        case .passwordReset: "p"
        case .emailVerification: "v"
        case .emailChange: "c"
        case .invitation: "i"
        }
    }

    var prefix: String { "pg\(letter)_" }

    /// That of the prefix that `text` begins with, and more behind it; nil where it begins with none.
    init?(of text: UnsafeBufferPointer<UInt8>) {
        guard text.count > TokenFormat.prefixLength, text[0] == UInt8(ascii: "p"), text[1] == UInt8(ascii: "g"),
            text[3] == UInt8(ascii: "_"), let purpose = Self.allCases.first(where: { UInt8(ascii: $0.letter) == text[2] })
        else { return nil }
        self = purpose
    }
}

/// The one format of everything this server signs:
///
///     prefix base64url( version purpose idLength id body tag )
///        4                 1       1       1     n   40   32    bytes
///
/// The version fixes the algorithm, HMAC-SHA-256 over all that precedes the tag; there is no field to choose another.
/// Key id and purpose are inside the tag, every length is fixed or checked, and a byte string has one text only.
struct TokenFormat: Sendable {
    /// Five words, big-endian in the token; what they mean is the purpose's business.
    typealias Body = InlineArray<5, UInt64>

    static let version: UInt8 = 1
    static let prefixLength = 4
    private static let headLength = 3
    private static let bodyLength = 40
    private static let maximumBytes = headLength + KeyRing.maximumIDLength + bodyLength + SigningKey.tagLength
    /// Longer texts are refused unread.
    static let maximumTextLength = prefixLength + (maximumBytes * 4 + 2) / 3

    let keys: KeyRing

    /// A token whose form is right. Only `isAuthentic` says that this server made it.
    struct Opened {
        let purpose: TokenPurpose
        let body: Body
        let tag: InlineArray<4, UInt64>
        /// The tag was checked. False where the key id is in the ring no more: nothing of the token may be believed then.
        let isAuthentic: Bool
    }

    /// The text and the tag of a token; nil only where OpenSSL fails.
    func seal(_ purpose: TokenPurpose, _ body: Body, with key: SigningKey) -> (text: String, tag: [UInt8])? {
        let id = Array(key.id.utf8)
        var bytes: [UInt8] = [Self.version, purpose.rawValue, UInt8(id.count)] + id
        for index in body.indices { withUnsafeBytes(of: body[index].bigEndian) { bytes.append(contentsOf: $0) } }
        var isSigned = false
        let tag = [UInt8](unsafeUninitializedCapacity: SigningKey.tagLength) { tag, written in
            guard let start = tag.baseAddress else { return }
            isSigned = bytes.withUnsafeBufferPointer { key.sign($0, into: start) }
            written = isSigned ? SigningKey.tagLength : 0
        }
        guard isSigned else { return nil }
        return (purpose.prefix + Base64.url.encode(bytes + tag), tag)
    }

    /// Reads a token without allocating. Nil where the text is malformed or its tag is wrong.
    func open(_ text: UnsafeBufferPointer<UInt8>) -> Opened? {
        guard text.count <= Self.maximumTextLength, let purpose = TokenPurpose(of: text) else { return nil }
        let encoded = UnsafeBufferPointer(rebasing: text[Self.prefixLength...])
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maximumBytes) { bytes in
            guard let count = Base64.url.decode(encoded, into: bytes) else { return nil }
            return open(UnsafeBufferPointer(rebasing: bytes[..<count]), purpose)
        }
    }

    private func open(_ bytes: UnsafeBufferPointer<UInt8>, _ purpose: TokenPurpose) -> Opened? {
        guard bytes.count >= Self.headLength, bytes[0] == Self.version, bytes[1] == purpose.rawValue else { return nil }
        let idLength = Int(bytes[2])
        let bodyStart = Self.headLength + idLength
        let tagStart = bodyStart + Self.bodyLength
        guard (1...KeyRing.maximumIDLength).contains(idLength), bytes.count == tagStart + SigningKey.tagLength else { return nil }

        let key = keys.key(UnsafeBufferPointer(rebasing: bytes[Self.headLength..<bodyStart]))
        if let key {
            guard let start = bytes.baseAddress,
                key.verify(UnsafeBufferPointer(start: start, count: tagStart), tag: start + tagStart)
            else { return nil }
        }
        let raw = UnsafeRawBufferPointer(bytes)
        let word = { (offset: Int) in UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        return Opened(
            purpose: purpose, body: Body { word(bodyStart + $0 * 8) }, tag: InlineArray { word(tagStart + $0 * 8) },
            isAuthentic: key != nil)
    }
}
