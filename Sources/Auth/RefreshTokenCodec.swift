import PlaygroundCore

/// Makes and reads refresh tokens. The secret of one is the tag over key id, session id, counter and nonce: it can be derived
/// again when an answer was lost, while the database keeps only its SHA-256. The nonce stands only in the tokens, so neither a
/// dump of the database nor a dump together with the keys yields a bearer.
struct RefreshTokenCodec: Sendable {
    private let format: TokenFormat

    init(keys: KeyRing) { format = TokenFormat(keys: keys) }

    /// The key that new tokens derive from.
    var signingKeyID: String { format.keys.signing.id }

    /// The token of this generation of a session. The same arguments give the same token. Nil where the key is in the ring no more.
    func issue(_ generation: RefreshGeneration, keyID: String) -> RefreshToken? {
        guard let key = format.keys.key(keyID) else { return nil }
        let body: TokenFormat.Body = [
            generation.session.uuid.high, generation.session.uuid.low, UInt64(bitPattern: generation.counter),
            generation.nonce.high, generation.nonce.low,
        ]
        guard let sealed = format.seal(.refresh, body, with: key) else { return nil }
        return RefreshToken(text: sealed.text, hash: SHA256Digest(of: sealed.tag.span).bytes, keyID: keyID)
    }

    /// The same for a key that is there, as the one that signs always is.
    func issued(_ generation: RefreshGeneration, keyID: String) throws(ServiceError) -> RefreshToken {
        guard let token = issue(generation, keyID: keyID) else { throw ServiceError(.internalError, cause: "HMAC failed") }
        return token
    }

    /// Reads what a client presents. Nil where it is malformed or its tag is wrong: no database is asked then.
    func read(_ text: String) -> PresentedRefreshToken? {
        guard let opened = text.utf8.span.withUnsafeBufferPointer({ format.open($0) }), opened.purpose == .refresh,
            // Below the largest, so that a successor exists.
            opened.body[2] < UInt64(Int64.max)
        else { return nil }
        var tag: [UInt8] = []
        for index in opened.tag.indices { withUnsafeBytes(of: opened.tag[index].bigEndian) { tag.append(contentsOf: $0) } }
        let generation = RefreshGeneration(
            session: SessionID(UUIDBytes(high: opened.body[0], low: opened.body[1])), counter: Int64(opened.body[2]),
            nonce: UUIDBytes(high: opened.body[3], low: opened.body[4]))
        return PresentedRefreshToken(
            generation: generation, hash: SHA256Digest(of: tag.span).bytes, isAuthentic: opened.isAuthentic)
    }
}

/// Which refresh token of which session: what a secret derives from, besides the key.
struct RefreshGeneration: Equatable, Sendable {
    let session: SessionID
    /// 0 for the one given at log-in.
    let counter: Int64
    /// 128 random bits, the same for all of a session's tokens.
    let nonce: UUIDBytes
}

/// A refresh token to hand out, and what of it is stored.
struct RefreshToken: Equatable, Sendable {
    let text: String
    /// SHA-256 of the secret.
    let hash: [UInt8]
    let keyID: String
}

/// A refresh token as it came in.
struct PresentedRefreshToken: Equatable, Sendable {
    let generation: RefreshGeneration
    /// SHA-256 of the secret. Where it is the stored one, the token is genuine whatever became of its key: removing a key from
    /// SESSION_KEYS logs nobody out.
    let hash: [UInt8]
    /// Its tag was checked with a key of the ring. A token of a removed key has only its hash to show.
    let isAuthentic: Bool

    var session: SessionID { generation.session }
    var counter: Int64 { generation.counter }
    /// What is given for it.
    var successor: RefreshGeneration {
        RefreshGeneration(session: session, counter: counter + 1, nonce: generation.nonce)
    }
}
