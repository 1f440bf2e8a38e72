import PlaygroundCore
import Synchronization

/// What a process knows of API keys, so that a request with one asks no database. One for the process, shared by all loops.
///
/// What is known is believed for a minute, or to the key's end by the database's clock, and only while the key is not among the revoked:
/// `RevokedSessions` has revoked keys too, and remembers them longer than this. What is unknown is remembered as well, so that it is not asked
/// for again and again. Both are bounded.
package final class APIKeyCache: Sendable {
    /// Milliseconds that an answer of the database is believed.
    static let memory: Int64 = 60_000
    private static let capacity = 10_000

    enum Finding: Equatable {
        case principal(Principal)
        /// There is no such key, or it has another secret.
        case refused
        /// Has to be asked.
        case unknown
    }

    private struct Entry {
        /// Nil where there is no such key.
        let principal: Principal?
        let hash: [UInt8]
        /// Monotonic milliseconds.
        let ends: Int64
    }

    private let entries = Mutex<(known: [APIKeyID: Entry], absent: [APIKeyID: Entry])>(([:], [:]))
    private let capacity: Int

    /// Empty, with the usual capacity.
    package convenience init() { self.init(capacity: Self.capacity) }

    /// - Parameter capacity: of what is known, and of what is not.
    init(capacity: Int) { self.capacity = capacity }

    /// - Parameter now: monotonic milliseconds, here and below.
    func find(_ key: APIKeyText, now: Int64) -> Finding {
        entries.withLock { entries in
            guard let entry = entries.known[key.id] ?? entries.absent[key.id], entry.ends > now else { return .unknown }
            guard let principal = entry.principal, key.matches(entry.hash) else { return .refused }
            return .principal(principal)
        }
    }

    /// - Parameter left: milliseconds to the key's end; nil where it has none.
    func insert(_ id: APIKeyID, _ principal: Principal, hash: [UInt8], left: Int64?, now: Int64) {
        let entry = Entry(principal: principal, hash: hash, ends: now + min(Self.memory, left ?? Self.memory))
        entries.withLock { entries in
            entries.absent[id] = nil
            Self.insert(entry, id, into: &entries.known, capacity: capacity, now: now)
        }
    }

    /// There is no such key.
    func insertAbsent(_ id: APIKeyID, now: Int64) {
        let entry = Entry(principal: nil, hash: [], ends: now + Self.memory)
        entries.withLock { entries in
            entries.known[id] = nil
            Self.insert(entry, id, into: &entries.absent, capacity: capacity, now: now)
        }
    }

    /// Where it is full what is over goes, and where that is not enough the tenth that is over soonest.
    private static func insert(
        _ entry: Entry, _ id: APIKeyID, into entries: inout [APIKeyID: Entry], capacity: Int, now: Int64
    ) {
        if entries.count >= capacity, entries[id] == nil {
            entries = entries.filter { $0.value.ends > now }
            if entries.count >= capacity {
                let order = entries.sorted { $0.value.ends < $1.value.ends }
                for (id, _) in order.prefix(max(1, capacity / 10)) { entries[id] = nil }
            }
        }
        entries[id] = entry
    }
}
