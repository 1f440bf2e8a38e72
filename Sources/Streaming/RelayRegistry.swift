package import PlaygroundCore

/// The relays of one loop, those that run and those whose admission is being asked for. Not Sendable: it belongs to its loop.
///
/// Every completion comes and goes, few are ever asked for by their ids: so these lie side by side and are looked through when somebody
/// asks, and nothing is hashed for the others.
package final class RelayRegistry {
    /// Where a relay stands here.
    struct Entry {
        var place: Int
        /// It has been admitted. One that has not may bear the same id as another.
        var isAdmitted: Bool
    }

    // Unchecked for overlapping accesses: while one of these is being changed nothing is called but the end of a relay, and that
    // knows of no registry.
    @exclusivity(unchecked) private var ids: [CompletionID] = []
    @exclusivity(unchecked) private var relays: [CompletionRelay] = []
    /// With what every completion ends, once the server stops.
    private var closing: ServiceError?

    package init() {}

    /// How many completions are running on this loop.
    package var count: Int { admitted.count }

    /// The relay of a completion that is running here.
    package subscript(id: CompletionID) -> CompletionRelay? { named(id).first { $0.entry?.isAdmitted == true } }

    /// What every running completion has used so far.
    package var progress: [(id: CompletionID, usage: Usage)] { admitted.map { ($0.id, $0.progress) } }

    /// Ends one completion at its owner's wish. Whoever does not own it is told the same as where there is none.
    /// - Returns: whether it was running here, or about to be: then it ends as soon as it starts.
    package func stop(_ id: CompletionID, owner: UserID) -> Bool {
        let owned = named(id).filter { $0.owner == owner }
        for relay in owned { relay.stop() }
        return !owned.isEmpty
    }

    /// Ends every completion with an error, and whichever is admitted later: the server stops.
    package func abortAll(_ error: ServiceError) {
        closing = error
        for relay in admitted { relay.abort(error) }
    }

    /// Ends the completions of a session that was revoked.
    package func abort(session: SessionID, _ error: ServiceError) {
        for relay in relays.filter({ $0.sessionID == session }) { relay.abort(error) }
    }

    /// Whether a completion may run is being decided: who ends it meanwhile is heard, should it be admitted. ``insert(_:)`` or
    /// ``remove(_:)`` has to follow.
    package func expect(_ relay: CompletionRelay) {
        if relay.entry != nil { return }
        relay.entry = Entry(place: relays.count, isAdmitted: false)
        ids.append(relay.id)
        relays.append(relay)
    }

    /// A completion has been admitted: from now on it can be stopped, though its relay may not have been started. The relay takes
    /// itself out when it has ended; it has to be started, or it stays.
    package func insert(_ relay: CompletionRelay) {
        begin(relay)
        if let closing { relay.abort(closing) }
    }

    func begin(_ relay: CompletionRelay) {
        expect(relay)
        relay.entry?.isAdmitted = true
    }

    /// A completion has ended, or will not run. The last one takes its place.
    package func remove(_ relay: CompletionRelay) {
        guard let place = relay.entry?.place else { return }
        relay.entry = nil
        ids.swapAt(place, ids.count - 1)
        relays.swapAt(place, relays.count - 1)
        if place < relays.count - 1 { relays[place].entry?.place = place }
        ids.removeLast()
        relays.removeLast()
    }

    // Copies: each relay that ends takes itself out of the table.

    private var admitted: [CompletionRelay] { relays.filter { $0.entry?.isAdmitted == true } }
    private func named(_ id: CompletionID) -> [CompletionRelay] { ids.indices.filter { ids[$0] == id }.map { relays[$0] } }
}
