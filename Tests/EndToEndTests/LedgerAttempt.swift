/// What a client wants to have completed, under an id of its own, however often it has to ask.
struct LedgerRequest: Sendable {
    /// What the client does besides reading the answer.
    enum Manner: Sendable {
        /// Nothing.
        case reads
        /// It leaves when it has read so many tokens.
        case leaves(Int, byReset: Bool)
        /// It has the completion stopped when it has read so many tokens.
        case stops(Int)
    }

    /// When the same is sent once more.
    enum Repetition: Sendable {
        case never
        /// Twice at one moment.
        case twin
        /// When so many tokens have been read.
        case midway(Int)
        /// When it has ended, however it did.
        case after
        /// When it was refused, or the connection was lost: up to so many times.
        case retried(Int)
    }

    let id: String
    let user: Int
    /// Milliseconds between two tokens.
    let interval: Int
    /// Tokens that the upstream was told to make, if nothing comes between.
    let tokens: Int
    /// What else the upstream was told.
    var fault = ""
    var isStreamed = true
    var manner = Manner.reads
    var repetition = Repetition.never

    /// The same, read to its end.
    var again: LedgerRequest {
        var again = self
        again.manner = .reads
        again.repetition = .never
        return again
    }
}

/// One time that it was sent, as the client saw it.
struct LedgerAttempt: Sendable {
    enum Ending: Sendable {
        /// The answer came whole.
        case whole
        /// The client left in the midst.
        case left
        /// The connection broke.
        case broken
    }

    let request: LedgerRequest
    let process: Int32
    let began = ContinuousClock.now
    /// When the head came.
    var answered: ContinuousClock.Instant?
    /// Zero where no head came.
    var status = 0
    var code: String?
    /// Microseconds that a refusal told to wait.
    var wait: Int64?
    /// Tokens that the client has read.
    var seen = 0
    var ending = Ending.broken

    init(_ request: LedgerRequest, process: Int32) {
        self.request = request
        self.process = process
    }

    var id: String { request.id }
    var isRateRefusal: Bool { status == 429 && code == "rate_limit_exceeded" }
    /// Whether a client does well to send the same once more.
    var isWorthRepeating: Bool { status == 429 || status == 503 || ending == .broken }
}
