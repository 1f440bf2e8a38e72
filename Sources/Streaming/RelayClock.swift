import PlaygroundCore

/// The moments one relay waits for, in the loop's milliseconds: one timer serves all of them.
struct RelayClock {
    /// What is due. Of several, the first in this order.
    enum Due: Equatable {
        case timeOut(TimeoutPhase)
        /// An upstream that refuses has had its time to say why.
        case refusal
        /// The wait between two attempts is over.
        case attempt
        /// The answer has to begin, output or not.
        case head
        case heartbeat
        case nothing
    }

    static let never = Int64.max

    var totalAt = never
    var firstTokenAt = never
    var silenceAt = never
    var refusalAt = never
    var attemptAt = never
    var headAt = never
    var heartbeatAt = never

    /// The earliest of all.
    @inline(__always)
    var next: Int64 {
        min(min(min(heartbeatAt, silenceAt), min(totalAt, firstTokenAt)), min(refusalAt, min(attemptAt, headAt)))
    }

    func due(at now: Int64) -> Due {
        if now >= totalAt { return .timeOut(.total) }
        if now >= firstTokenAt { return .timeOut(.firstToken) }
        if now >= silenceAt { return .timeOut(.silence) }
        if now >= refusalAt { return .refusal }
        if now >= attemptAt { return .attempt }
        if now >= headAt { return .head }
        return now >= heartbeatAt ? .heartbeat : .nothing
    }

    /// No upstream is being asked.
    mutating func endAttempt() {
        firstTokenAt = Self.never
        silenceAt = Self.never
        refusalAt = Self.never
        attemptAt = Self.never
    }
}
