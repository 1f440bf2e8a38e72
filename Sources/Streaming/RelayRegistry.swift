package import PlaygroundCore

/// The relays that are open on one loop. Not Sendable: it belongs to its loop.
package final class RelayRegistry {
    private var relays: [CompletionID: CompletionRelay] = [:]
    /// Those whose admission is being asked for. Their ids may be their clients' own: what is said of one meanwhile is not lost.
    /// By object, because several may bear one id, of which one at most is admitted.
    private var awaited: [ObjectIdentifier: CompletionRelay] = [:]
    /// With what every completion ends, once the server stops.
    private var closing: ServiceError?

    package init() {}

    /// How many completions are running on this loop.
    package var count: Int { relays.count }

    /// The relay of a completion that is running here.
    package subscript(id: CompletionID) -> CompletionRelay? { relays[id] }

    /// What every running completion has used so far.
    package var progress: [(id: CompletionID, usage: Usage)] { relays.map { ($0.key, $0.value.progress) } }

    /// Ends one completion at its owner's wish. Whoever does not own it is told the same as where there is none.
    /// - Returns: whether it was running here, or about to be: then it ends as soon as it starts.
    package func stop(_ id: CompletionID, owner: UserID) -> Bool {
        if let relay = relays[id], relay.owner == owner {
            relay.stop()
            return true
        }
        let awaited = awaited.values.filter { $0.id == id && $0.owner == owner }
        for relay in awaited { relay.stop() }
        return !awaited.isEmpty
    }

    /// Ends every completion with an error, and whichever is admitted later: the server stops.
    package func abortAll(_ error: ServiceError) {
        closing = error
        // A copy: each relay takes itself out of the table.
        for relay in Array(relays.values) { relay.abort(error) }
    }

    /// Ends the completions of a session that was revoked.
    package func abort(session: SessionID, _ error: ServiceError) {
        for relay in relays.values.filter({ $0.sessionID == session }) { relay.abort(error) }
        for relay in awaited.values where relay.sessionID == session { relay.abort(error) }
    }

    /// Whether a completion may run is being decided: who ends it meanwhile is heard, should it be admitted. ``insert(_:)`` or
    /// ``dismiss(_:)`` has to follow.
    package func expect(_ relay: CompletionRelay) { awaited[ObjectIdentifier(relay)] = relay }

    /// A completion that was expected will not run.
    package func dismiss(_ relay: CompletionRelay) { awaited[ObjectIdentifier(relay)] = nil }

    /// A completion has been admitted: from now on it can be stopped, though its relay may not have been started. The relay takes
    /// itself out when it has ended; it has to be started, or it stays.
    package func insert(_ relay: CompletionRelay) {
        dismiss(relay)
        begin(relay)
        if let closing { relay.abort(closing) }
    }

    func begin(_ relay: CompletionRelay) { relays[relay.id] = relay }

    func remove(_ relay: CompletionRelay) {
        if relays[relay.id] === relay { relays[relay.id] = nil }
    }
}
