import Auth
import PlaygroundCore

/// The opaque names under which users appear at the upstream: a keyed hash, the same for a user on every replica for as long as one
/// key signs. Belongs to its loop, and remembers the names of those who ask again.
final class UserTags {
    /// A name, with what it was made of: it is believed for these alone, so a new key needs no word to the memory.
    private struct Known {
        let user: UserID
        let key: SigningKey
        let tag: String
    }

    private let keys: SessionKeys
    /// Each user has one place, which the last bits of the id say: what is forgotten is whatever stood there before.
    // Unchecked for overlapping accesses: nothing is called while it is held.
    @exclusivity(unchecked) private var known: [Known?]

    init(keys: SessionKeys) {
        self.keys = keys
        known = Array(repeating: nil, count: 4096)
    }

    func tag(_ user: UserID) -> String {
        let key = keys.ring.signing
        let place = Int(user.uuid.low % UInt64(known.count))
        if let known = known[place], known.user == user, known.key === key { return known.tag }
        // An upstream that gets no name loses its abuse statistics, nothing else.
        guard let tag = key.name(of: "upstream-user:" + user.description) else { return "anonymous" }
        known[place] = Known(user: user, key: key, tag: tag)
        return tag
    }
}
