import PlaygroundCore

/// A link for one account and one purpose, good once: what stands in it is the tag over key id, purpose and the link's id. So it can be
/// made again for a mail that has to be sent again, while the database keeps only its SHA-256.
package struct AccountLink: Sendable, Equatable {
    package enum Purpose: String, Sendable, CaseIterable {
        /// Sets another password.
        case reset
        /// Shows that the account's address is its owner's.
        case verify
        /// The same for another address, which is the account's from then on.
        case change
        /// Sets the first password.
        case invite

        /// Seconds that a link is good for.
        package var lifetime: Int64 {
            switch self {
            case .reset: 3_600
            case .verify, .change: 24 * 3_600
            case .invite: 7 * 24 * 3_600
            }
        }

        /// The same in words.
        package var lifetimeText: String {
            switch self {
            case .reset: "1 hour"
            case .verify, .change: "24 hours"
            case .invite: "7 days"
            }
        }

        var tokenPurpose: TokenPurpose {
            switch self {
            case .reset: .passwordReset
            case .verify: .emailVerification
            case .change: .emailChange
            case .invite: .invitation
            }
        }

        fileprivate init?(_ purpose: TokenPurpose) {
            guard let purpose = Self.allCases.first(where: { $0.tokenPurpose == purpose }) else { return nil }
            self = purpose
        }
    }

    let id: UUIDBytes
    let purpose: Purpose
    /// What the link carries: a bearer.
    package let token: String
    /// SHA-256 of the secret in it.
    let hash: [UInt8]

    /// Makes the link of this id; the same one as long as the same key signs. Nil only where OpenSSL fails.
    init?(id: UUIDBytes, purpose: Purpose, keys: KeyRing) {
        let body: TokenFormat.Body = [id.high, id.low, 0, 0, 0]
        guard let sealed = TokenFormat(keys: keys).seal(purpose.tokenPurpose, body, with: keys.signing) else { return nil }
        self.init(id: id, purpose: purpose, token: sealed.text, tag: sealed.tag)
    }

    /// Reads what somebody presents; nil for what this server has not made, or with a key that it has no more. No database is asked.
    init?(presented text: String, keys: KeyRing) {
        let format = TokenFormat(keys: keys)
        guard let opened = text.utf8.span.withUnsafeBufferPointer({ format.open($0) }), opened.isAuthentic,
            let purpose = Purpose(opened.purpose), opened.body[2] == 0, opened.body[3] == 0, opened.body[4] == 0
        else { return nil }
        var tag: [UInt8] = []
        for index in opened.tag.indices { withUnsafeBytes(of: opened.tag[index].bigEndian) { tag.append(contentsOf: $0) } }
        self.init(id: UUIDBytes(high: opened.body[0], low: opened.body[1]), purpose: purpose, token: text, tag: tag)
    }

    private init(id: UUIDBytes, purpose: Purpose, token: String, tag: [UInt8]) {
        self.id = id
        self.purpose = purpose
        self.token = token
        hash = SHA256Digest(of: tag.span).bytes
    }
}
