import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica for as long as one
/// key signs. Belongs to its loop, and remembers the names of those who ask again.
final class UserTags {
    private let keys: SessionKeys
    /// That the remembered names were made with: they are forgotten with it.
    private var key: SigningKey
    /// Each user has one place, which the last bits of the id say: what is forgotten is whatever stood there before.
    // Unchecked for overlapping accesses: nothing is called while it is held.
    @exclusivity(unchecked) private var known: [(user: UserID, tag: String)?]

    init(keys: SessionKeys) {
        self.keys = keys
        key = keys.ring.signing
        known = Array(repeating: nil, count: 4096)
    }

    func tag(_ user: UserID) -> String {
        if keys.ring.signing !== key {
            key = keys.ring.signing
            known = Array(repeating: nil, count: known.count)
        }
        let place = Int(user.uuid.low % UInt64(known.count))
        if let known = known[place], known.user == user { return known.tag }
        // An upstream that gets no name loses its abuse statistics, nothing else.
        guard let tag = key.name(of: "upstream-user:" + user.description) else { return "anonymous" }
        known[place] = (user, tag)
        return tag
    }
}
