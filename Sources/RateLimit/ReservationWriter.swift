import EventLoop
import PlaygroundCore
import Postgres

/// Asks the database for admissions: all that gather during a turn of the loop, or while the statement before is on its way, in one
/// statement. So a crowd of requests costs few statements, and those of one user do not wait for each other's row lock.
final class ReservationWriter {
    typealias Outcome = Result<Admission, ServiceError>

    private struct Entry {
        let request: ReservationRequest
        /// The loop's millisecond by which it has to be decided.
        let end: Int64
        let isSecondLook: Bool
        let decided: (Outcome) -> Void
    }

    /// Requests in one statement.
    private static let batchSize = 500
    /// Decisions that are told between two looks at the descriptors: each of them begins an answer, which takes a while.
    private static let decisionsPerTurn = 32
    /// Settlements that may wait for the database before nothing more is admitted.
    private static let highestBacklog = 16_384
    /// After its last byte an answer holds its slot for so long at most, where its user is short of slots and the database well.
    private static let handingBack = Duration.milliseconds(25)
    /// Nanoseconds from one statement to the next, at least: a statement costs the database the same for one request as for
    /// several, and under load that is what everybody waits for.
    private static let spacing: Int64 = 2_000_000

    private let database: PostgresClient
    private let process: ProcessID
    private let deadline: Int64
    private let io: LoopIO
    private let settlements: SettlementWriter
    private var waiting: [Entry] = []
    private var signal = WorkSignal()
    /// Who has not heard of the decision yet.
    private var decisions: [(decided: (Outcome) -> Void, outcome: Outcome)] = []
    private var decisionSignal = WorkSignal()
    private var crowd = CrowdMark()
    private let spacer: KernelTimer?
    /// Nanoseconds of the system's monotonic clock.
    private var lastWrite = Int64.min / 2
    private var isClosed = false

    /// - Parameters:
    ///   - deadline: milliseconds that a request waits for its decision.
    ///   - settlements: undoes what is given up and what the database may have admitted, or may still admit.
    init(database: PostgresClient, process: ProcessID, deadline: Int64, io: LoopIO, settlements: SettlementWriter) {
        self.database = database
        self.process = process
        self.deadline = deadline
        self.io = io
        self.settlements = settlements
        spacer = KernelTimer(io: io)
    }

    deinit { spacer?.close() }

    /// Fails with `database_unavailable` when the database has not decided within the deadline.
    /// - Parameter decided: called once, which may be before this returns.
    func reserve(_ request: ReservationRequest, decided: @escaping (Outcome) -> Void) {
        ask(request, isSecondLook: false, decided)
    }

    private func ask(_ request: ReservationRequest, isSecondLook: Bool, _ decided: @escaping (Outcome) -> Void) {
        let entry = Entry(request: request, end: io.now + deadline, isSecondLook: isSecondLook, decided: decided)
        if isClosed { return refuse(entry, Self.unavailable("the limiter is closed")) }
        guard settlements.count < Self.highestBacklog else {
            return refuse(entry, Self.unavailable("settlements are waiting for the database"))
        }
        settlements.hurry(for: request.userID)
        waiting.append(entry)
        signal.give()
    }

    /// Who finds no slot free is looked at again a moment later: an answer that has just ended, on whichever replica, is about to give
    /// its slot back, and whoever asks for one completion after another shall not be told of two.
    private func lookAgain(_ entry: Entry) {
        let timer = LoopTimer { [self] in ask(entry.request, isSecondLook: true, entry.decided) }
        io.schedule(timer, after: Self.handingBack)
    }

    /// Writes until closed.
    func run() async {
        while !isClosed {
            if waiting.isEmpty {
                await withUnsafeContinuation { signal.keep($0) }
            } else {
                await keepDistance()
                await write(take())
            }
        }
    }

    /// Tells who has been decided on, until closed. Not at once: the next statement goes out first, so that the database works on it
    /// while these begin.
    func tell() async {
        while !isClosed {
            await withUnsafeContinuation { decisionSignal.keep($0) }
            let told = decisions
            decisions = []
            for (index, (decided, outcome)) in told.enumerated() {
                if index > 0, index.isMultiple(of: Self.decisionsPerTurn) {
                    await withUnsafeContinuation { turn in io.atEndOfTurn { turn.resume() } }
                }
                decided(outcome)
            }
        }
    }

    /// Waits until the last statement is long enough ago. Whoever comes alone does not wait.
    private func keepDistance() async {
        let rest = lastWrite + Self.spacing - SystemClock.monotonicNanoseconds()
        if let spacer, rest > 0 { await spacer.pause(microseconds: rest / 1_000) }
        lastWrite = SystemClock.monotonicNanoseconds()
    }

    /// Ends ``run()``. Who waits is refused.
    func close() {
        isClosed = true
        spacer?.close()
        for (decided, outcome) in decisions { decided(outcome) }
        decisions = []
        for entry in waiting { refuse(entry, Self.unavailable("the limiter is closed")) }
        waiting = []
        signal.give()
        decisionSignal.give()
    }

    /// The next batch. An id that comes twice is left for the one after: by then the first has its row.
    private func take() -> [Entry] {
        var batch = waiting
        waiting = []
        // Compared one by one: in batches of this size that costs no more than to hash them.
        var ids: [CompletionID] = []
        ids.reserveCapacity(batch.count)
        batch.removeAll { entry in
            if ids.count < Self.batchSize, !ids.contains(entry.request.completionID) {
                ids.append(entry.request.completionID)
                return false
            }
            waiting.append(entry)
            return true
        }
        return batch
    }

    private func write(_ batch: [Entry]) async {
        guard let end = batch.lazy.map(\.end).min() else { return }
        do throws(PostgresError) {
            let left = Duration.milliseconds(max(1, end - io.now))
            let isCrowded = crowd.isCrowded(now: io.now)
            let result = try await database.executeDurably(
                LimitStatements.reserve, values(of: batch, isCrowded), isCrowded: isCrowded, deadline: left,
                unflushed: LimitStatements.reserveUnflushed,
                onReleased: { crowd.released(now: io.now) })
            guard result.count == batch.count else { throw .decoding("\(result.count) decisions on \(batch.count) requests") }
            var made: [Decision] = []
            made.reserveCapacity(batch.count)
            for row in result.rows { made.append(try Decision(result, row: row)) }
            for (entry, decision) in zip(batch, made) {
                if decision.verdict == .concurrency, !entry.isSecondLook {
                    lookAgain(entry)
                } else {
                    decide(entry, .success(decision.admission(of: entry.request.attempt)))
                }
            }
        } catch {
            await failed(batch, error)
        }
    }

    private func failed(_ batch: [Entry], _ error: PostgresError) async {
        switch error {
        case .server where batch.count > 1, .invalidValue where batch.count > 1:
            // Rolled back as a whole, or never sent: one of them is to blame, and the others shall not suffer for it.
            for entry in batch { await write([entry]) }
        case .server, .invalidValue:
            for entry in batch { refuse(entry, error.serviceError) }
        case .timedOut, .unknownOutcome, .decoding:
            for entry in batch {
                settlements.undo(entry.request)
                refuse(entry, Self.unavailable("\(error)"))
            }
        case .unavailable, .overloaded:
            for entry in batch { refuse(entry, Self.unavailable("\(error)")) }
        }
    }

    private func decide(_ entry: Entry, _ outcome: Outcome) {
        // Closed, there is nobody left to tell the others.
        if isClosed { return entry.decided(outcome) }
        decisions.append((entry.decided, outcome))
        decisionSignal.give()
    }

    private func refuse(_ entry: Entry, _ error: ServiceError) { decide(entry, .failure(error)) }

    private func values(of batch: [Entry], _ isCrowded: Bool) -> [PostgresValue] {
        [
            .uuid(process.uuid),
            .uuidArray(batch.map { $0.request.completionID.uuid }),
            .uuidArray(batch.map { $0.request.attempt }),
            .uuidArray(batch.map { $0.request.userID.uuid }),
            .uuidArray(batch.map { $0.request.sessionID?.uuid }),
            .intArray(batch.map { Int64(max(0, $0.request.promptTokens)) }),
            .intArray(batch.map { $0.request.maxTokens.map { Int64($0) } }),
            .textArray(batch.map(\.request.model)),
            .uuidArray(batch.map { $0.request.presetID?.uuid }),
            .textArray(batch.map(\.request.upstreams.names)),
            .bool(isCrowded),
            .bool(batch.allSatisfy(\.request.isNew)),
        ]
    }

    static func unavailable(_ cause: String) -> ServiceError {
        ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: cause)
    }
}
