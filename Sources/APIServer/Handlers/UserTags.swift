import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica for as long as one
/// key signs.
struct UserTags {
    let keys: SessionKeys

    func tag(_ user: UserID) -> String {
        var message = "upstream-user:" + user.description
        let tag = message.withUTF8 { message in
            [UInt8](unsafeUninitializedCapacity: SigningKey.tagLength) { tag, written in
                guard let start = tag.baseAddress, keys.ring.signing.sign(message, into: start) else { return }
                written = SigningKey.tagLength
            }
        }
        // An upstream that gets no name loses its abuse statistics, nothing else.
        return tag.count == SigningKey.tagLength ? Base64.url.encode(tag.span.extracting(0..<16)) : "anonymous"
    }
}
