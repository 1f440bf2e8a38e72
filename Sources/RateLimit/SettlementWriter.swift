import EventLoop
import Logging
import PlaygroundCore
import Postgres

/// Drives a ``SettlementQueue``: one statement at a time. What comes alone is written at once, and what comes soon after another
/// gathers, so that a crowd of settlements costs few statements: nobody waits for a settlement, but whoever is to be admitted waits
/// for the rows that it locks. What the database has not taken is written again until it has.
final class SettlementWriter {
    private static let deadline = Duration.seconds(5)
    /// Milliseconds after a statement within which the next one gathers, and for how long at most.
    private static let gathering: Int64 = 50
    /// Settlements that are a crowd: in a larger one each costs the database hardly less.
    private static let crowdSize = 20
    private let database: PostgresClient
    private let io: LoopIO
    private let logger: Logger
    private var queue = SettlementQueue()
    /// Attempts that are to be undone.
    private var voids: [ReservationRequest] = []
    private var backoff = Backoff()
    private var signal = WorkSignal()
    private var crowd = CrowdMark()
    private var lastWrite = Int64.min / 2
    /// Fires when what is gathering has to be written.
    private var gatheringTimer: LoopTimer?
    private var gatheringEnd: Int64 = 0
    /// Users who may be waiting for a slot that a gathering settlement frees.
    private var awaiting: Set<UserID> = []
    private var isGathering = false
    private var isClosed = false

    init(database: PostgresClient, io: LoopIO, logger: Logger) {
        self.database = database
        self.io = io
        self.logger = logger
        gatheringTimer = LoopTimer { [unowned self] in endGathering() }
    }

    deinit {
        if let gatheringTimer { io.cancel(gatheringTimer) }
    }

    /// Entries that the database has not taken yet.
    var count: Int { queue.count + voids.count }

    /// What a completion will be settled at.
    func settlement(of completionID: CompletionID) -> Settlement? { queue.settlement(of: completionID) }

    /// Settles an admitted completion.
    func settle(_ settlement: Settlement) {
        queue.add(settlement)
        if let userID = settlement.awaitedBy { awaiting.insert(userID) }
        let isDue = queue.count >= Self.crowdSize || !awaiting.isEmpty
        if isGathering {
            // The loop's next tick, and not at once: what comes together is written together.
            if isDue { gather(for: 1) }
        } else if io.now - lastWrite < Self.gathering {
            gather(for: isDue ? 1 : Self.gathering)
        } else {
            signal.give()
        }
    }

    /// Undoes an attempt to be admitted that was given up before it was answered.
    func undo(_ request: ReservationRequest) {
        voids.append(request)
        endGathering()
    }

    /// Writes at once what a user has gathering: a slot that is free shall be found free by what is sent after this.
    func hurry(for userID: UserID) {
        if isGathering, awaiting.contains(userID) { endGathering() }
    }

    /// Ends after so many milliseconds, or when it was to end before.
    private func gather(for time: Int64) {
        let end = io.now + time
        guard let gatheringTimer, !isGathering || end < gatheringEnd else { return }
        isGathering = true
        gatheringEnd = end
        io.schedule(gatheringTimer, after: .milliseconds(time))
    }

    private func endGathering() {
        isGathering = false
        if let gatheringTimer { io.cancel(gatheringTimer) }
        signal.give()
    }

    /// Writes until closed.
    func run() async {
        while !isClosed {
            if (queue.isEmpty && voids.isEmpty) || isGathering {
                await withUnsafeContinuation { signal.keep($0) }
            } else if !(await write()) {
                let delay = backoff.delay(random: .random(in: 0..<1))
                backoff.failed()
                await io.pause(delay)
            }
        }
    }

    /// Waits until everything is written, at most until `deadline` (monotonic milliseconds of the loop).
    func drain(until deadline: Int64) async {
        while count > 0, io.now < deadline { await io.pause(.milliseconds(20)) }
    }

    /// Ends ``run()``.
    func close() {
        isClosed = true
        signal.give()
    }

    /// Writes one batch of each kind; whether the database has taken both and knew all of them. What it thinks of the one statement
    /// says nothing about the other.
    private func write() async -> Bool {
        let areVoidsWritten = await writeVoids()
        let isBatchWritten = await writeBatch()
        if areVoidsWritten, isBatchWritten { backoff.succeeded() }
        return areVoidsWritten && isBatchWritten
    }

    private func writeBatch() async -> Bool {
        let batch = queue.take()
        awaiting.removeAll(keepingCapacity: true)
        lastWrite = io.now
        if batch.isEmpty { return true }
        do throws(PostgresError) {
            let acknowledged = try await settle(batch)
            let before = queue.count
            for completionID in queue.finished(batch, acknowledged: acknowledged) {
                logger.error("settlement given up: no such completion", metadata: ["completion_id": "\(completionID)"])
            }
            // An entry that is tried again waits like one after a failure: its completion is being settled elsewhere.
            return before - queue.count == batch.count
        } catch {
            let isPoison = error.state.map { !$0.meansUnavailable } ?? false
            let level: Logger.Level = isPoison ? .error : .warning
            logger.log(level: level, "settlements not written", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            if let completionID = queue.failed(batch, isPoison: isPoison) {
                logger.error("settlement given up: refused", metadata: ["completion_id": "\(completionID)"])
            }
            return false
        }
    }

    private func writeVoids() async -> Bool {
        let batch = voids.prefix(SettlementQueue.batchSize)
        if batch.isEmpty { return true }
        let values: [PostgresValue] = [
            .uuidArray(batch.map { $0.attempt }), .uuidArray(batch.map { $0.completionID.uuid }),
            .uuidArray(batch.map { $0.userID.uuid }),
        ]
        do throws(PostgresError) {
            _ = try await database.execute(LimitStatements.void, values, deadline: Self.deadline)
            voids.removeFirst(batch.count)
            return true
        } catch {
            logger.warning("attempts not undone", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            return false
        }
    }

    private func settle(_ batch: [SettlementQueue.Entry]) async throws(PostgresError) -> [CompletionID] {
        try await SettlementColumns(batch.map(\.settlement)).write(
            to: database, deadline: Self.deadline, isCrowded: crowd.isCrowded(now: io.now)
        ) { crowd.released(now: io.now) }
    }
}
