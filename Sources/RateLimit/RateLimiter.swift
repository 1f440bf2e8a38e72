package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// What one loop does about limits: reserves before an upstream is called, settles after, and never loses a settlement.
///
/// The limits hold exactly over all processes, because one row per user in the database decides. Where the database does not
/// answer nothing is admitted.
package final class RateLimiter {
    /// Settlements that may wait for the database before nothing more is admitted.
    private static let highestBacklog = 16_384
    private static let progressBatch = 1_000

    private let database: PostgresClient
    private let process: ProcessID
    private let plan: Plan
    private let deadline: Duration
    private let io: LoopIO
    private let logger: Logger
    private let writer: SettlementWriter
    private var progress = ProgressSchedule()

    /// - Parameters:
    ///   - process: the owner of the reservations; its ``ProcessLease`` has to be held already.
    ///   - deadline: how long a reservation waits for the database.
    package init(
        database: PostgresClient, process: ProcessID, plan: Plan, loop: isolated EventLoop, logger: Logger,
        deadline: Duration = .seconds(1)
    ) {
        self.database = database
        self.process = process
        self.plan = plan
        self.deadline = deadline
        io = loop.io
        self.logger = logger
        writer = SettlementWriter(database: database, io: loop.io, logger: logger)
        let writer = LoopBound(writer, on: loop)
        loop.spawn { loop in await writer.value(on: loop).run() }
    }

    /// Reserves a request, the tokens and a slot, or nothing.
    ///
    /// Throws `database_unavailable` when the database has not decided within the deadline (fail closed). Should it still admit
    /// the completion later, that is undone.
    package func reserve(_ request: ReservationRequest) async throws(ServiceError) -> Admission {
        guard writer.count < Self.highestBacklog else { throw Self.unavailable("settlements are waiting for the database") }
        let cost = request.cost
        let end = io.now + deadline.wholeMilliseconds
        repeat {
            let verdict: Standing.Verdict
            do throws(PostgresError) {
                verdict = try await standing(of: request, cost, .milliseconds(max(1, end - io.now)))
                    .verdict(cost: cost, concurrentStreams: plan.concurrentStreams)
            } catch {
                // Another transaction took the id at the same moment. Now its row can be seen, and says what to answer.
                if error.state == .uniqueViolation { continue }
                if Self.mayHaveRun(error) { void(request.completionID, of: request.userID) }
                switch error {
                case .server, .invalidValue: throw error.serviceError
                default: throw Self.unavailable("\(error)")
                }
            }
            if case .decided(let admission) = verdict { return admission }
        } while io.now < end
        throw Self.unavailable("the user's row is contended")
    }

    /// Takes one request and no tokens for a request that was refused after its sender was known.
    /// - Returns: what is left; nil where the database does not answer.
    package func charge(invalidRequestOf userID: UserID) async -> BucketSnapshot? {
        let (requests, tokens) = (TokenBucket.rate(Int64(plan.requestsPerMinute)), TokenBucket.rate(Int64(plan.tokensPerMinute)))
        do throws(PostgresError) {
            // Twice: the first attempt finds nothing where another process is making the user's row at this moment.
            for _ in 0..<2 {
                let result = try await database.execute(
                    LimitStatements.charge, [.uuid(userID.uuid), .int(requests), .int(tokens)], deadline: deadline)
                if result.isEmpty { continue }
                return BucketSnapshot(
                    requests: TokenBucket(level: try result.int(0, 0), perMinute: requests),
                    tokens: TokenBucket(level: try result.int(0, 1), perMinute: tokens))
            }
        } catch {
            logger.warning("invalid request not charged", metadata: ["error": "\(error)"])
        }
        return nil
    }

    /// Settles an admitted completion. Returns at once and cannot fail: it is written again until the database has taken it.
    /// Settling a completion twice changes nothing.
    package func settle(_ settlement: Settlement) {
        writer.add(.settle(settlement), for: settlement.completionID)
    }

    /// The settlement of a completion that has ended and that the database has not taken yet.
    package func pendingSettlement(of completionID: CompletionID) -> Settlement? { writer.settlement(of: completionID) }

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

    /// Settlements that the database has not taken yet.
    package var backlog: Int { writer.count }

    /// Waits until every settlement is written, at most for `timeout`, and ends the limiter's work. Called last.
    package func drain(_ timeout: Duration) async {
        await writer.drain(until: io.now + timeout.wholeMilliseconds)
        if writer.count > 0 { logger.error("settlements not written", metadata: ["count": "\(writer.count)"]) }
        writer.close()
    }

    /// Undoes an admission that the database may have made, or may still make.
    func void(_ completionID: CompletionID, of userID: UserID) {
        writer.add(.void(userID), for: completionID)
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

    private func standing(
        of request: ReservationRequest, _ cost: Int64, _ deadline: Duration
    ) async throws(PostgresError) -> Standing {
        let (requests, tokens) = (TokenBucket.rate(Int64(plan.requestsPerMinute)), TokenBucket.rate(Int64(plan.tokensPerMinute)))
        let values: [PostgresValue] = [
            .uuid(request.userID.uuid), .uuid(request.sessionID?.uuid), .uuid(request.completionID.uuid), .uuid(process.uuid),
            .int(requests), .int(tokens), .int(plan.concurrentStreams), .int(cost), .text(request.model),
            .uuid(request.presetID?.uuid), .int(request.maxTokens),
        ]
        let row = try await database.execute(LimitStatements.reserve, values, deadline: deadline)
        return Standing(
            admitted: try row.bool(0, 0), sessionIsLive: try row.bool(0, 1), isRepeated: try row.bool(0, 2),
            userIsKnown: try row.bool(0, 3), requests: TokenBucket(level: try row.int(0, 4), perMinute: requests),
            tokens: TokenBucket(level: try row.int(0, 5), perMinute: tokens), inFlight: try row.intIfPresent(0, 6))
    }

    /// Whether the statement may have been carried out, or may still be, after the caller has given up.
    private static func mayHaveRun(_ error: PostgresError) -> Bool {
        switch error {
        case .timedOut, .unknownOutcome, .decoding: true
        case .unavailable, .overloaded, .server, .invalidValue: false
        }
    }

    private static func unavailable(_ cause: String) -> ServiceError {
        ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: cause)
    }
}
