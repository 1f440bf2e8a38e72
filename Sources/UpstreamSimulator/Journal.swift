import StrictJSON
import Synchronization

/// How a request ended, as seen from here.
enum Ending: String {
    case open
    case completed
    /// An error answer: no key, a bad request, a status directive.
    case refused
    case closedBeforeHeaders = "client_closed_before_headers"
    case closedBeforeFirstToken = "client_closed_before_first_token"
    case closedMidstream = "client_closed_midstream"
    /// RST or FIN by a directive.
    case dropped = "dropped_by_directive"

    var isClosedByClient: Bool { self == .closedBeforeHeaders || self == .closedBeforeFirstToken || self == .closedMidstream }
}

/// What is known of one request. Times are Unix nanoseconds; 0 is not yet.
struct RequestRecord {
    /// Counts from 1 over the simulator's life.
    let number: Int
    /// The directive's id, or that of the completion.
    var id: String
    var completionID: String
    let connection: Int
    /// The prompt's first characters, directives included.
    var prompt: String
    /// `ok`, `wrong` or `missing`; never the key.
    var authorization: String
    var model: String
    var isStreamed: Bool
    var status = 0
    var started: Int64
    var headSent: Int64 = 0
    var firstToken: Int64 = 0
    var lastToken: Int64 = 0
    var ended: Int64 = 0
    var tokens = 0
    /// Bytes that the socket took.
    var bytes = 0
    /// Whether the client lets the socket be full now.
    var isBlocked = false
    var timesBlocked = 0
    var ending = Ending.open
    /// Whether the client left by RST rather than FIN.
    var isReset = false

    func write(to writer: inout JSONWriter) {
        func since(_ time: Int64) -> Double? { time == 0 ? nil : Double((time - started) / 1000) / 1000 }
        writer.object { writer in
            writer.member("number", number)
            writer.member("id", id)
            writer.member("completion_id", completionID)
            writer.member("connection", connection)
            writer.member("prompt", prompt)
            writer.member("authorization", authorization)
            writer.member("model", model)
            writer.member("stream", isStreamed)
            writer.member("status", status)
            writer.member("started_ns", started)
            writer.member("ended_ns", ended == 0 ? nil : ended)
            writer.member("head_ms", since(headSent))
            writer.member("first_token_ms", since(firstToken))
            writer.member("last_token_ms", since(lastToken))
            writer.member("ended_ms", since(ended))
            writer.member("tokens_sent", tokens)
            writer.member("bytes_sent", bytes)
            writer.member("blocked", isBlocked)
            writer.member("times_blocked", timesBlocked)
            writer.member("ended", ending.rawValue)
            writer.member("reset", isReset)
        }
    }
}

/// One request's record, written by its loop and read by whoever asks.
final class JournalEntry: Sendable {
    private let record: Mutex<RequestRecord>

    init(_ record: RequestRecord) { self.record = Mutex(record) }

    func update(_ change: (inout RequestRecord) -> Void) { record.withLock { change(&$0) } }

    var current: RequestRecord { record.withLock { $0 } }
}

/// The simulator's memory: the last requests, the totals, and how often each id came. Shared by all loops.
final class Journal: Sendable {
    /// How many requests are remembered.
    static let capacity = 20_000

    private struct State {
        var ring: [JournalEntry] = []
        var oldest = 0
        var attempts: [String: Int] = [:]
        var last: ReceivedRequest?
    }

    struct Totals {
        var requests = 0
        var completed = 0
        var refused = 0
        var aborted = 0
        var dropped = 0
        var open = 0
        var maxOpen = 0
        /// Of the open ones, those whose client lets the socket be full.
        var blocked = 0
        var connections = 0
        var connectionsOpened = 0
        var tokens = 0
        var bytes = 0
    }

    private let state = Mutex(State())
    private let totals = Mutex(Totals())
    private let numbers = Atomic(0)

    var nextNumber: Int { numbers.add(1, ordering: .relaxed).newValue }

    func remember(_ entry: JournalEntry, _ request: ReceivedRequest) {
        state.withLock { state in
            state.last = request
            if state.ring.count < Self.capacity {
                state.ring.append(entry)
            } else {
                state.ring[state.oldest] = entry
                state.oldest = (state.oldest + 1) % Self.capacity
            }
        }
    }

    /// How many requests of that id there have been, this one included.
    func attempt(_ id: String) -> Int {
        state.withLock { state in
            if state.attempts.count >= Self.capacity { state.attempts.removeAll() }
            state.attempts[id, default: 0] += 1
            return state.attempts[id, default: 1]
        }
    }

    func count(_ change: (inout Totals) -> Void) { totals.withLock { change(&$0) } }

    var current: Totals { totals.withLock { $0 } }

    var last: ReceivedRequest? { state.withLock { $0.last } }

    /// The remembered requests, the oldest first.
    func records(where matches: (RequestRecord) -> Bool) -> [RequestRecord] {
        let entries = state.withLock { Array($0.ring[$0.oldest...] + $0.ring[..<$0.oldest]) }
        return entries.map(\.current).filter(matches)
    }

    /// Forgets requests and totals; what is open stays counted.
    func reset() {
        state.withLock { $0 = State() }
        totals.withLock { totals in
            var fresh = Totals()
            fresh.open = totals.open
            fresh.maxOpen = totals.open
            fresh.blocked = totals.blocked
            fresh.connections = totals.connections
            totals = fresh
        }
    }
}
