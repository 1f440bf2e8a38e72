import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica.
struct UserTags: Sendable {
    let key: SigningKey

    func tag(_ user: UserID) -> String {
        // An upstream that gets no name loses its abuse statistics, nothing else.
        key.name(of: "upstream-user:" + user.description) ?? "anonymous"
    }
}
