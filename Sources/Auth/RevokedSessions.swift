package import PlaygroundCore
import Synchronization

/// Sessions that were ended while access tokens of theirs may still be alive: what a token is checked against without asking the
/// database. One for the process, shared by all loops; `RevocationFeed` keeps it current.
package final class RevokedSessions: Sendable {
    /// Seconds that an ended session is remembered: the life of an access token, the leeway on its end, and a minute for clocks.
    package static let memory = AccessTokenCodec.lifetime + AccessTokenCodec.leeway + 60
    /// Far more than log-ins can make in that time, because each of them costs a password hash.
    package static let capacity = 100_000

    private struct State {
        /// When each may be forgotten, in seconds since 1970.
        var ends: [SessionID: Int64] = [:]
        var isLoaded = false
        var observers: [@Sendable (SessionID) -> Void] = []
        var nextSweep: Int64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    /// Empty, with the usual capacity.
    package convenience init() { self.init(capacity: Self.capacity) }

    init(capacity: Int) { self.capacity = capacity }

    /// Whether what was revoked before this process started is known: part of being ready.
    package var isLoaded: Bool { state.withLock(\.isLoaded) }

    /// How many are remembered.
    package var count: Int { state.withLock { $0.ends.count } }

    /// Whether it was revoked while a token of it could still live.
    package func contains(_ session: SessionID) -> Bool {
        state.withLock { $0.ends[session] != nil }
    }

    /// Has a closure called for every session that becomes revoked from now on; on whatever thread learns of it, so it hops.
    package func observe(_ observer: @escaping @Sendable (SessionID) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    /// Remembers a session, and tells the observers unless it was known.
    /// - Parameters:
    ///   - age: seconds since it was revoked.
    ///   - now: seconds since 1970.
    package func insert(_ session: SessionID, age: Int64, now: Int64) {
        guard age < Self.memory else { return }
        let observers = state.withLock { state -> [@Sendable (SessionID) -> Void] in
            sweep(&state, now: now)
            guard state.ends.updateValue(now + Self.memory - age, forKey: session) == nil else { return [] }
            return state.observers
        }
        for observer in observers { observer(session) }
    }

    /// All that were revoked before are in.
    func markLoaded() { state.withLock { $0.isLoaded = true } }

    /// Forgets what is over; where that is not enough, the tenth that is over soonest.
    private func sweep(_ state: inout State, now: Int64) {
        guard now >= state.nextSweep || state.ends.count >= capacity else { return }
        state.nextSweep = now + 10
        state.ends = state.ends.filter { $0.value > now }
        guard state.ends.count >= capacity else { return }
        let order = state.ends.sorted { $0.value < $1.value }
        for (session, _) in order.prefix(max(1, capacity / 10)) { state.ends[session] = nil }
    }
}
