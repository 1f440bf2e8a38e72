package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// What one loop does about limits: reserves before an upstream is called, settles after, and never loses a settlement.
///
/// The limits hold exactly over all processes, because one row per user in the database decides. Where the database does not
/// answer nothing is admitted.
package final class RateLimiter {
    private static let progressBatch = 1_000

    private let database: PostgresClient
    private let deadline: Duration
    private let loop: EventLoop
    private let io: LoopIO
    private let logger: Logger
    private let lane: LimitLane
    /// Nil on the loops that the lane does not work on.
    private let writers: LimitWriters?
    /// What this turn of the loop asks of the lane, which works on another: one hand-over for all of it.
    private var orders: [LimitOrder] = []
    private var progress = ProgressSchedule()

    /// - Parameters:
    ///   - lane: of the process.
    ///   - deadline: how long the charge for an invalid request waits for the database.
    package init(
        database: PostgresClient, lane: LimitLane, loop: isolated EventLoop, logger: Logger, deadline: Duration = .seconds(1)
    ) {
        self.database = database
        self.deadline = deadline
        self.lane = lane
        self.logger = logger
        self.loop = loop
        io = loop.io
        writers = lane.writers(on: loop)
    }

    /// Reserves a request, the tokens and a slot, or nothing.
    ///
    /// Fails with `database_unavailable` when the database has not decided within the lane's deadline (fail closed). Should it still
    /// admit the completion later, that is undone.
    ///
    /// - Parameter decided: called once, on this loop, which may be before this returns.
    package func reserve(_ request: ReservationRequest, decided: @escaping (Result<Admission, ServiceError>) -> Void) {
        if let writers { return writers.reservations.reserve(request, decided: decided) }
        // Both stay on this loop; only the request itself goes to that of the lane.
        nonisolated(unsafe) let (limiter, decided) = (self, decided)
        loop.spawn { _ in decided(await withUnsafeContinuation { limiter.give(.reserve(request, $0)) }) }
    }

    /// Takes one request and no tokens for a request that was refused after its sender was known.
    /// - Returns: what is left; nil where the database does not answer.
    package func charge(invalidRequestOf userID: UserID) async -> BucketSnapshot? {
        do throws(PostgresError) {
            let result = try await database.execute(LimitStatements.charge, [.uuid(userID.uuid)], deadline: deadline)
            if result.isEmpty { return nil }
            return BucketSnapshot(
                requests: try TokenBucket(result, row: 0, rate: 0, level: 1),
                tokens: try TokenBucket(result, row: 0, rate: 2, level: 3))
        } catch {
            logger.warning("invalid request not charged", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Settles an admitted completion. Returns at once and cannot fail: it is written again until the database has taken it.
    /// Settling a completion twice changes nothing.
    package func settle(_ settlement: Settlement) { give(.settle(settlement)) }

    /// The settlement of a completion that has ended and that the database has not taken yet; known to the limiter on the lane's
    /// own loop alone, and until it is handed over there to the one that was given it.
    package func pendingSettlement(of completionID: CompletionID) -> Settlement? {
        if let writers { return writers.settlements.settlement(of: completionID) }
        for case .settle(let settlement) in orders where settlement.completionID == completionID { return settlement }
        return nil
    }

    /// Writes what this server's environment says of plan `default` and of upstreams with limits, where the database has it
    /// otherwise: in force at once, on every replica.
    package func declare(_ plan: Plan, upstreams: [UpstreamLimits]) async throws(PostgresError) {
        _ = try await database.execute(
            LimitStatements.declare,
            [
                .int(TokenBucket.rate(Int64(plan.requestsPerMinute))), .int(TokenBucket.rate(Int64(plan.tokensPerMinute))),
                .int(plan.concurrentStreams), .int(plan.maxTokensCap), .int(plan.maxTokensDefault),
                .textArray(upstreams.map(\.name)), .intArray(upstreams.map { $0.requestsPerMinute.map { Int64($0) } }),
                .intArray(upstreams.map { $0.tokensPerMinute.map { Int64($0) } }),
            ],
            deadline: .seconds(5))
    }

    /// Tells the database what the running completions have spent, those that are due: should this process die, another settles
    /// them at that. To be called every second with all that run.
    /// - Returns: those of them that their owners want stopped.
    package func report(_ running: [(id: CompletionID, usage: Usage)]) async -> [StopRequest] {
        var stops: [StopRequest] = []
        let due = progress.due(running)
        for start in stride(from: 0, to: due.count, by: Self.progressBatch) {
            let batch = due[start..<min(due.count, start + Self.progressBatch)]
            do throws(PostgresError) {
                stops += try await writeProgress(batch)
            } catch {
                // Dropped, not kept: whoever still runs reports newer numbers, and who has ended is settled.
                logger.warning("progress not written", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            }
        }
        return stops
    }

    /// Undoes an admission that the database may have made, or may still make.
    func undo(_ request: ReservationRequest) { give(.undo(request)) }

    private func give(_ order: LimitOrder) {
        if let writers { return writers.take(order) }
        if orders.isEmpty { io.atEndOfTurn { [self] in handOver() } }
        orders.append(order)
    }

    private func handOver() {
        if orders.isEmpty { return }
        lane.handOver(orders)
        orders = []
    }

    /// Settlements that the database has not taken yet, as far as the lane works on this loop.
    package var backlog: Int { writers?.settlements.count ?? 0 }

    /// Waits until every settlement is written, at most for `timeout`, and ends the lane's work: on its own loop, after the
    /// limiters of all others were drained, which have handed over what they had.
    package func drain(_ timeout: Duration) async {
        guard let writers else { return handOver() }
        writers.reservations.close()
        await writers.settlements.drain(until: io.now + timeout.wholeMilliseconds)
        let left = writers.settlements.count
        if left > 0 { logger.error("settlements not written", metadata: ["count": "\(left)"]) }
        writers.settlements.close()
    }

    private func writeProgress(
        _ batch: ArraySlice<(id: CompletionID, usage: Usage)>
    ) async throws(PostgresError) -> [StopRequest] {
        let values: [PostgresValue] = [
            .uuidArray(batch.map(\.id.uuid)),
            .intArray(batch.map { Int64($0.usage.promptTokens) }),
            .intArray(batch.map { Int64($0.usage.completionTokens) }),
        ]
        let stops = try await database.execute(LimitStatements.progress, values, deadline: .seconds(5))
        var requests: [StopRequest] = []
        for row in stops.rows {
            requests.append(
                StopRequest(completionID: CompletionID(try stops.uuid(row, 0)), userID: UserID(try stops.uuid(row, 1))))
        }
        return requests
    }
}
