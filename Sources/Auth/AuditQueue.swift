import PlaygroundCore

/// Events that still have to reach the database, oldest first, and the counts of what is refused again and again. Pure.
///
/// What succeeds has a row each. Of refusals like events from one place (kind, outcome, subject) share one row a minute: it is
/// written with the first of them, and its count when the minute is over. At most ``highestWindows`` such rows are open; what finds
/// no place is counted in one row of its kind that names nobody. So nobody can fill the disk by failing.
struct AuditQueue {
    /// A row to write, perhaps over an earlier state of itself.
    struct Row: Equatable {
        let id: UUIDBytes
        let event: AuditEvent
        /// Monotonic microseconds: of the first event, and of the last.
        let at: Int64
        var lastAt: Int64
        var count: Int64 = 1
    }

    private struct Likeness: Hashable {
        let kind: AuditEvent.Kind
        let outcome: AuditEvent.Outcome
        let place: String?
        let subject: AuditEvent.Subject
        let session: SessionID?
    }

    /// Rows that may wait for the database, some 4 MB.
    static let capacity = 4_096
    /// Rows in one statement.
    static let batchSize = 200
    /// Rows of refusals that one loop opens in a minute.
    static let highestWindows = 100
    /// Microseconds that like refusals share a row.
    static let window: Int64 = 60_000_000

    private var waiting: [Row] = []
    /// Refusals of the last minute.
    private var windows: [Likeness: Row] = [:]
    private var limit = Self.batchSize
    private let capacity: Int

    init(capacity: Int = Self.capacity) { self.capacity = capacity }

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    /// When the next minute of a refusal is over; nil where none is open.
    var nextEnd: Int64? { windows.values.map(\.at).min().map { $0 + Self.window } }

    /// Queues an event, or counts it in the row of others.
    /// - Returns: how many rows were lost because too many wait.
    mutating func add(_ event: AuditEvent, id: UUIDBytes, now: Int64) -> Int {
        if event.outcome == .succeeded { return append(Row(id: id, event: event, at: now, lastAt: now)) }
        let lost = endWindows(now: now)
        var event = event
        // The address has tried too often, whichever accounts it tries: they would make a row each.
        if event.outcome == .throttled { event.subject = .unnamed }
        var likeness = Likeness(
            kind: event.kind, outcome: event.outcome, place: event.origin.place, subject: event.subject, session: event.session)
        if windows[likeness] == nil, windows.count >= Self.highestWindows {
            event = AuditEvent(event.kind, event.outcome, by: .unknown, from: .operation, detail: "from many places")
            likeness = Likeness(kind: event.kind, outcome: event.outcome, place: nil, subject: .unnamed, session: nil)
        }
        if windows[likeness] != nil {
            windows[likeness]?.count += 1
            windows[likeness]?.lastAt = now
            return lost
        }
        let row = Row(id: id, event: event, at: now, lastAt: now)
        windows[likeness] = row
        return lost + append(row)
    }

    /// Queues the counts of the minutes that are over, or of all.
    /// - Returns: how many rows were lost.
    mutating func endWindows(now: Int64, all: Bool = false) -> Int {
        if windows.isEmpty { return 0 }
        var lost = 0
        for (likeness, row) in windows where all || now - row.at >= Self.window {
            windows[likeness] = nil
            if row.count > 1 { lost += append(row) }
        }
        return lost
    }

    /// The next rows to write; what becomes of them is told by ``finished()`` or ``failed(_:isPoison:)``.
    mutating func take() -> [Row] {
        let batch = Array(waiting.prefix(limit))
        waiting.removeFirst(batch.count)
        return batch
    }

    /// The database has taken the batch.
    mutating func finished() { limit = min(Self.batchSize, limit * 2) }

    /// The database has not taken the batch, or has not said so: it will be written again, which is harmless.
    /// - Parameter isPoison: the statement itself was refused. Halves are tried, and a row that is refused alone is given up.
    /// - Returns: how many rows were lost.
    mutating func failed(_ batch: [Row], isPoison: Bool) -> Int {
        if isPoison {
            if batch.count <= 1 { return batch.count }
            limit = max(1, batch.count / 2)
        }
        let room = max(0, capacity - waiting.count)
        waiting.insert(contentsOf: batch.prefix(room), at: 0)
        return max(0, batch.count - room)
    }

    private mutating func append(_ row: Row) -> Int {
        guard waiting.count < capacity else { return 1 }
        waiting.append(row)
        return 0
    }
}
