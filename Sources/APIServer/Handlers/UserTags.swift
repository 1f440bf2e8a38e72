import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica.
struct UserTags: Sendable {
    let key: SigningKey

    func tag(_ user: UserID) -> String {
        var message = "upstream-user:" + user.description
        let tag = message.withUTF8 { message in
            [UInt8](unsafeUninitializedCapacity: SigningKey.tagLength) { tag, written in
                guard let start = tag.baseAddress, key.sign(message, into: start) else { return }
                written = SigningKey.tagLength
            }
        }
        // An upstream that gets no name loses its abuse statistics, nothing else.
        return tag.count == SigningKey.tagLength ? Base64.url.encode(tag.span.extracting(0..<16)) : "anonymous"
    }
}
