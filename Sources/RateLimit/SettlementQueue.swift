import PlaygroundCore

/// Settlements that still have to reach the database, each once, oldest first. Pure.
struct SettlementQueue {
    struct Entry {
        let settlement: Settlement
        /// How often the database has taken it without knowing the completion.
        var attempts = 0

        var completionID: CompletionID { settlement.completionID }
    }

    /// Entries in one statement.
    static let batchSize = 500
    /// An entry whose completion the database does not know is tried again, because another process may be settling it at this
    /// very moment; after so many attempts it is given up.
    static let highestAttempts = 4

    private var waiting: [Entry] = []
    /// Taken last.
    private var taken: [Entry] = []
    /// Queued or being written.
    private var known: Set<CompletionID> = []
    private var limit = Self.batchSize

    var isEmpty: Bool { known.isEmpty }
    var count: Int { known.count }

    /// The settlement that is queued or being written.
    func settlement(of completionID: CompletionID) -> Settlement? {
        guard known.contains(completionID) else { return nil }
        let entry = taken.first { $0.completionID == completionID } ?? waiting.first { $0.completionID == completionID }
        return entry?.settlement
    }

    /// Queues a settlement, unless the completion has one already.
    mutating func add(_ settlement: Settlement) {
        if known.insert(settlement.completionID).inserted { waiting.append(Entry(settlement: settlement)) }
    }

    /// The next entries to write; they stay known until ``finished(_:acknowledged:)`` or ``failed(_:isPoison:)``.
    mutating func take() -> [Entry] {
        if waiting.count <= limit {
            taken = waiting
            waiting = []
        } else {
            taken = Array(waiting.prefix(limit))
            waiting.removeFirst(limit)
        }
        return taken
    }

    /// The database has taken the batch.
    /// - Returns: the completions that it does not know after several attempts, and that are given up.
    mutating func finished(_ batch: [Entry], acknowledged: some Sequence<CompletionID>) -> [CompletionID] {
        limit = min(Self.batchSize, limit * 2)
        let before = known.count
        for completionID in acknowledged { known.remove(completionID) }
        if before - known.count == batch.count { return [] }
        var abandoned: [CompletionID] = []
        for var entry in batch where known.contains(entry.completionID) {
            entry.attempts += 1
            if entry.attempts >= Self.highestAttempts {
                known.remove(entry.completionID)
                abandoned.append(entry.completionID)
            } else {
                waiting.append(entry)
            }
        }
        return abandoned
    }

    /// The database has not taken the batch, or has not said so: it will be written again.
    /// - Parameter isPoison: the statement itself was refused, so that repeating it as it is cannot help. Halves are tried, and an
    ///   entry that is refused alone is given up, or it would hold up all the others for good.
    /// - Returns: the completion that is given up.
    mutating func failed(_ batch: [Entry], isPoison: Bool) -> CompletionID? {
        if isPoison, batch.count == 1, let entry = batch.first {
            known.remove(entry.completionID)
            return entry.completionID
        }
        if isPoison { limit = max(1, batch.count / 2) }
        waiting.insert(contentsOf: batch, at: 0)
        return nil
    }
}
