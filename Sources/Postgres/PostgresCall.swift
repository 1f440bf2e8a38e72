import EventLoop

/// One call on its way: one or more statements that succeed or fail together, a deadline, and who waits for the outcome.
///
/// It is answered once: with its results, with an error, or at its deadline; what arrives for it later is thrown away.
final class PostgresCall {
    typealias Outcome = Result<[PostgresResult], PostgresError>

    struct Step {
        let statement: PostgresStatement
        let values: ParameterBuffer
    }

    let steps: [Step]
    /// Sent right behind this one, on the same connection.
    let next: PostgresCall?
    /// In the loop's milliseconds.
    let deadline: Int64
    private let io: LoopIO
    private var completion: ((Outcome) -> Void)?
    private var timer: LoopTimer?
    private var results: [PostgresResult] = []
    private var failure: PostgresError?

    /// - Parameter completion: called once, on the loop, not before this initializer has returned.
    init(_ steps: [Step], next: PostgresCall? = nil, deadline: Int64, io: LoopIO, completion: @escaping (Outcome) -> Void) {
        self.steps = steps
        self.next = next
        self.deadline = deadline
        self.io = io
        self.completion = completion
        // The timer holds the call, and the call the timer, until it is answered.
        let timer = LoopTimer { self.finish(.failure(.timedOut)) }
        self.timer = timer
        io.schedule(timer, after: .milliseconds(max(0, deadline - io.now)))
    }

    /// Whether nobody waits any longer.
    var isAnswered: Bool { completion == nil }

    /// The result of the next step.
    func received(_ result: PostgresResult) {
        if !isAnswered { results.append(result) }
    }

    /// The server refused a step or the commit; the first refusal is what the caller hears of.
    func failed(_ error: PostgresError) {
        if failure == nil { failure = error }
    }

    /// The sync group has ended: committed, or rolled back.
    func completed() {
        if let failure {
            finish(.failure(failure))
        } else if results.count == steps.count {
            finish(.success(results))
        } else {
            finish(.failure(.decoding("\(results.count) results for \(steps.count) statements")))
        }
    }

    /// The connection went away after the call had been sent.
    func connectionLost(_ reason: PostgresError) {
        if let failure {
            // Refused, so rolled back: that is certain.
            finish(.failure(failure))
        } else {
            finish(.failure(steps.contains { $0.statement.effect == .write } ? .unknownOutcome : reason))
        }
    }

    /// Ends the call before it was sent.
    func refuse(_ error: PostgresError) {
        finish(.failure(error))
        next?.refuse(error)
    }

    private func finish(_ outcome: Outcome) {
        guard let completion else { return }
        self.completion = nil
        if let timer { io.cancel(timer) }
        timer = nil
        results = []
        completion(outcome)
    }
}
