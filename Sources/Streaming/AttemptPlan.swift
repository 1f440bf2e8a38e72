import EventLoop
import PlaygroundCore

/// Which upstream a completion asks next while its answer has not begun: pure, time and randomness are passed in.
///
/// Another upstream is asked at once; the same one only after a failure that may pass, and after a wait: what the upstream asked
/// for and up to the backoff on top, or else half the backoff to all of it, so that one which is starting is reached and those
/// who wait do not come back in step. A wait that does not end early enough is not begun. A breaker puts off what is planned and
/// cancels none of it; where nobody was asked yet, who is spared is not waited for.
struct AttemptPlan {
    enum Step: Equatable {
        /// The candidate at this place, now.
        case ask(Int)
        /// To be asked again at this millisecond.
        case wait(until: Int64)
        case giveUp
    }

    /// With few candidates, so many attempts are made in all; with more, each is asked once.
    static let attemptLimit = 5
    /// It doubles from attempt to attempt: at the median the last one begins after 2.8 s, seldom before 2 s.
    static let firstWait = Duration.milliseconds(250)
    static let longestWait = Duration.seconds(2)

    private struct Candidate {
        var isAsked = false
        /// To ask it the same thing again is pointless or unsafe.
        var isRuledOut = false
        var earliest: Int64 = 0
        var backoff = Backoff(first: AttemptPlan.firstWait, cap: AttemptPlan.longestWait)
        var fault: UpstreamFault?
    }

    /// No further attempt begins after this millisecond.
    let latest: Int64
    private var candidates: [Candidate]
    private var attempts = 0
    private var lastFault: UpstreamFault?
    private var isOver = false

    init(candidates count: Int, latest: Int64) {
        self.latest = latest
        // One by one: `Array(repeating:count:)` asks the runtime for types, which takes as long as six of these.
        candidates = []
        candidates.reserveCapacity(count)
        for _ in 0..<count { candidates.append(Candidate()) }
    }

    /// What to do now.
    /// - Parameter spared: the millisecond from which on a candidate's breaker lets a request through.
    func next(now: Int64, spared: (Int) -> Int64) -> Step {
        if isOver || attempts >= max(Self.attemptLimit, candidates.count) { return .giveUp }
        if attempts > 0, now > latest { return .giveUp }
        for (index, candidate) in candidates.enumerated() where !candidate.isAsked && spared(index) <= now { return .ask(index) }
        var soonest: Int64?
        for (index, candidate) in candidates.enumerated() where candidate.isAsked && !candidate.isRuledOut {
            let time = max(candidate.earliest, spared(index))
            if time <= now { return .ask(index) }
            if time <= latest { soonest = min(soonest ?? .max, time) }
        }
        return soonest.map { .wait(until: $0) } ?? .giveUp
    }

    mutating func asked(_ index: Int) {
        attempts += 1
        candidates[index].isAsked = true
    }

    /// - Parameter random: from 0 up to 1, not included.
    mutating func failed(_ index: Int, _ fault: UpstreamFault, now: Int64, random: Double) {
        lastFault = fault
        candidates[index].fault = fault
        switch fault.remedy {
        case .none: isOver = true
        case .elsewhere: candidates[index].isRuledOut = true
        case .again(let wait):
            let jitter = candidates[index].backoff.delay(random: wait == nil ? (1 + random) / 2 : random)
            candidates[index].backoff.failed()
            candidates[index].earliest = now + ((wait ?? .zero) + jitter).wholeMilliseconds
        }
    }

    /// What the client hears once the plan has given up: the last fault, except that an upstream which says when to come
    /// back is worth more than one that failed otherwise. Nil where nobody was asked.
    var fault: UpstreamFault? {
        if isOver { return lastFault }
        let waits = candidates.compactMap(\.fault).filter { $0.retryAfter != nil }
        return waits.min { ($0.retryAfter ?? .zero) < ($1.retryAfter ?? .zero) } ?? lastFault
    }
}
