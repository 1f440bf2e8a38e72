import COpenSSL
package import PlaygroundCore

/// The keys of `SESSION_KEYS`: the first signs, all verify.
///
/// Rotating without a false 401: add the new key last everywhere, then move it to the front everywhere, then, a day later
/// (the longest life of a token that only its tag vouches for), remove the old one. Refresh tokens outlive their key.
package struct KeyRing: Sendable {
    /// Never empty.
    private let keys: [SigningKey]

    /// Ids longer than this are refused, so that a token has a bounded length.
    package static let maximumIDLength = 32
    /// Fewer bytes than a tag has would be the weakest part (RFC 2104, section 3).
    package static let minimumKeyLength = 32
    private static let maximumKeyLength = 1024
    private static let maximumCount = 16

    /// The key that new tokens are made with.
    package var signing: SigningKey { keys[0] }

    /// Reads `kid:base64key[,kid:base64key...]`. White space around an entry is dropped; base64 of either alphabet, padded or
    /// not; ids are 1 to 32 of `A-Z a-z 0-9 . _ -`.
    package init(parsing text: String) throws(KeyRingError) {
        let entries = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard entries.count <= Self.maximumCount else { throw KeyRingError(entry: Self.maximumCount + 1, reason: .tooMany) }
        var keys: [SigningKey] = []
        for (index, entry) in entries.enumerated() {
            let position = index + 1
            let entry = Self.trimmed(Array(entry))
            guard !entry.isEmpty else { throw KeyRingError(entry: position, reason: .empty) }
            guard let colon = entry.firstIndex(of: UInt8(ascii: ":")) else {
                throw KeyRingError(entry: position, reason: .noColon)
            }
            let id = entry[..<colon]
            guard (1...Self.maximumIDLength).contains(id.count), id.allSatisfy(Self.isIDCharacter) else {
                throw KeyRingError(entry: position, reason: .badID)
            }
            var bytes = try Self.keyBytes(Array(entry[(colon + 1)...]), position: position)
            defer { bytes.withUnsafeMutableBytes { copenssl_cleanse($0.baseAddress, $0.count) } }
            let name = String(decoding: id, as: UTF8.self)
            guard !keys.contains(where: { $0.id == name }) else { throw KeyRingError(entry: position, reason: .duplicateID) }
            guard let key = SigningKey(id: name, bytes: bytes) else { throw KeyRingError(entry: position, reason: .noMemory) }
            keys.append(key)
        }
        self.keys = keys
    }

    /// An entry with a new random key, to be put into `SESSION_KEYS`. Its id has the day, for people, and 32 random bits.
    package static func newEntry(on day: CalendarDate) throws(ServiceError) -> String {
        var key = try SecureRandom.bytes(minimumKeyLength)
        defer { key.withUnsafeMutableBytes { copenssl_cleanse($0.baseAddress, $0.count) } }
        let random = try SecureRandom.bytes(4).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        return "k\(day.description.replacing("-", with: ""))-\(random):\(Base64.standard.encode(key))"
    }

    /// The ids of all keys, in order. They are no secrets.
    package var ids: [String] { keys.map(\.id) }

    /// The key of this id, if it is in the ring.
    package func key(_ id: String) -> SigningKey? { keys.first { $0.id == id } }

    /// The same for an id that stands in a buffer: no string is made.
    func key(_ id: UnsafeBufferPointer<UInt8>) -> SigningKey? {
        for key in keys where key.id.utf8.elementsEqual(id) { return key }
        return nil
    }

    private static func keyBytes(_ text: [UInt8], position: Int) throws(KeyRingError) -> [UInt8] {
        var unpadded = text[...]
        if text.count % 4 == 0 {
            for _ in 0..<2 where unpadded.last == UInt8(ascii: "=") { unpadded.removeLast() }
        }
        guard let bytes = Base64.standard.decode(unpadded) ?? Base64.url.decode(unpadded) else {
            throw KeyRingError(entry: position, reason: .notBase64)
        }
        guard bytes.count >= minimumKeyLength else { throw KeyRingError(entry: position, reason: .tooShort) }
        guard bytes.count <= maximumKeyLength else { throw KeyRingError(entry: position, reason: .tooLong) }
        return bytes
    }

    private static func isIDCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) }) else {
            return []
        }
        return Array(bytes[first...last])
    }
}

/// Why `SESSION_KEYS` was refused. It names the entry by its position and shows nothing of it: a key may stand where an id should.
package struct KeyRingError: Error, Equatable, CustomStringConvertible {
    enum Reason: String {
        case empty = "is empty"
        case noColon = "is not of the form kid:base64key"
        case badID = "has a key id that is not 1 to 32 of A-Z a-z 0-9 . _ -"
        case duplicateID = "repeats the key id of an entry before it"
        case notBase64 = "has a key that is not base64"
        case tooShort = "has a key of fewer than 32 bytes"
        case tooLong = "has a key of more than 1024 bytes"
        case tooMany = "is one too many: at most 16"
        case noMemory = "could not be stored"
    }

    /// Counted from 1.
    let entry: Int
    let reason: Reason

    package var description: String { "SESSION_KEYS: entry \(entry) \(reason.rawValue)" }
}
