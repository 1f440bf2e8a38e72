import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica.
struct UserTags: Sendable {
    let key: SigningKey

    func tag(_ user: UserID) -> String {
        let message = Array("upstream-user:\(user)".utf8)
        var tag = [UInt8](repeating: 0, count: SigningKey.tagLength)
        let isSigned = message.withUnsafeBufferPointer { message in
            tag.withUnsafeMutableBufferPointer { tag in tag.baseAddress.map { key.sign(message, into: $0) } ?? false }
        }
        // An upstream that gets no name loses its abuse statistics, nothing else.
        return isSigned ? Base64.url.encode(tag.span.extracting(0..<16)) : "anonymous"
    }
}
