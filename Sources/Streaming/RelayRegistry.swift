package import PlaygroundCore

/// The relays that are open on one loop. Not Sendable: it belongs to its loop.
package final class RelayRegistry {
    private var relays: [CompletionID: CompletionRelay] = [:]

    package init() {}

    /// How many completions are running on this loop.
    package var count: Int { relays.count }

    /// The relay of a completion that is running here.
    package subscript(id: CompletionID) -> CompletionRelay? { relays[id] }

    /// What every running completion has used so far.
    package var progress: [(id: CompletionID, usage: Usage)] { relays.map { ($0.key, $0.value.progress) } }

    /// Ends one completion at its owner's wish. Whoever does not own it is told the same as where there is none.
    /// - Returns: whether it was running here.
    package func stop(_ id: CompletionID, owner: UserID) -> Bool {
        guard let relay = relays[id], relay.owner == owner else { return false }
        relay.stop()
        return true
    }

    /// Ends every completion with an error: the server stops.
    package func abortAll(_ error: ServiceError) {
        // A copy: each relay takes itself out of the table.
        for relay in Array(relays.values) { relay.abort(error) }
    }

    /// Ends the completions of a session that was revoked.
    package func abort(session: SessionID, _ error: ServiceError) {
        for relay in relays.values.filter({ $0.sessionID == session }) { relay.abort(error) }
    }

    /// A completion has been admitted: from now on it can be stopped, though its relay may not have been started. The relay takes
    /// itself out when it has ended; it has to be started, or it stays.
    package func insert(_ relay: CompletionRelay) { relays[relay.id] = relay }

    func remove(_ relay: CompletionRelay) {
        if relays[relay.id] === relay { relays[relay.id] = nil }
    }
}
