import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica for as long as one
/// key signs.
struct UserTags {
    let keys: SessionKeys

    func tag(_ user: UserID) -> String {
        // An upstream that gets no name loses its abuse statistics, nothing else.
        keys.ring.signing.name(of: "upstream-user:" + user.description) ?? "anonymous"
    }
}
