import PlaygroundCore

/// Lets nobody use keys that are none to ask the database: so many look-ups that find nothing a place has at once, and so fast they come
/// back. Pure. A place is what one customer of a provider has, as `AuditOrigin` says.
struct UnknownKeyLimit {
    /// Look-ups at once.
    static let burst: Int64 = 20
    /// Milliseconds until one comes back.
    static let interval: Int64 = 3_000
    private static let capacity = 4_096

    /// When each place has all of them again, in the loop's milliseconds; a place that is not here has them.
    private var full: [String: Int64] = [:]
    private let capacity: Int

    init(capacity: Int = Self.capacity) { self.capacity = capacity }

    var count: Int { full.count }

    /// Takes one look-up.
    /// - Returns: milliseconds until there is one; nil where it was taken.
    mutating func take(_ place: String, now: Int64) -> Int64? {
        let missing = max(0, (full[place] ?? now) - now)
        let wait = missing - (Self.burst - 1) * Self.interval
        if wait > 0 { return wait }
        if full[place] == nil, full.count >= capacity { makeRoom(now: now) }
        full[place] = now + missing + Self.interval
        return nil
    }

    /// Gives back what was taken for a key that is one.
    mutating func giveBack(_ place: String, now: Int64) {
        guard let moment = full[place] else { return }
        full[place] = moment - Self.interval > now ? moment - Self.interval : nil
    }

    /// Forgets the places that have all; where that is not enough the half that has them soonest.
    private mutating func makeRoom(now: Int64) {
        full = full.filter { $0.value > now }
        guard full.count >= capacity else { return }
        for (place, _) in full.sorted(by: { $0.value < $1.value }).prefix(max(1, capacity / 2)) { full[place] = nil }
    }
}
