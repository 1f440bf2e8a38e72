package import EventLoop
package import Logging
package import PlaygroundCore

/// The database as one loop sees it: a hot lane of pipelined connections for short statements, and a small slow lane for
/// everything that may take long, because what is slow holds up all that is pipelined behind it.
///
/// Belongs to its loop and lives until ``close()``. While the database is away it tries again with full jitter, one connection at
/// a time, and answers calls with `unavailable`: at once when the outage is known, at their deadline while it may be a short one.
package final class PostgresClient {
    /// Which connections a call goes to.
    package enum Lane: Sendable {
        /// Single statements by key, a few milliseconds at most.
        case hot
        /// Lists, exports, whatever may wait for locks.
        case slow
    }

    /// A statement with its values, $1 first.
    package typealias Step = (PostgresStatement, [PostgresValue])

    /// How long calls wait for their answers unless they say otherwise: who asks hears within two seconds, timers being late.
    package static let deadline = Duration.milliseconds(1_900)
    /// So long calls wait for a lost connection to come back, then they are refused at once.
    private static let grace: Int64 = 1_000
    /// How often a transaction that fell to a deadlock or a serialization failure is run again.
    private static let retries = 3

    let logger: Logger
    private var configuration: PostgresConfiguration
    private let io: LoopIO
    private let random: () -> Double
    private var hot: ConnectionLane?
    private var slow: ConnectionLane?
    /// Another client's, in place of an own one.
    private let slowLane: SharedLane?
    private let rehearsal: [PostgresStatement]
    private var backoff = Backoff()
    /// Counts up; the configuration takes it modulo the number of hosts.
    private var host = 0
    private var reconnect: LoopTimer?
    private var lifetimes: [ObjectIdentifier: LoopTimer] = [:]
    private var lastFailure = PostgresError.unavailable("not connected yet")
    private var isClosed = false

    /// Starts to connect; does not wait for it.
    /// - Parameters:
    ///   - io: of the loop that the client belongs to; every call is made there.
    ///   - slowLane: where calls on the slow lane go; nil for a lane of its own.
    ///   - rehearsal: statements without values that each connection of the hot lane runs before it is given calls, so that what
    ///     the server does once for a connection is done when somebody waits. That one fails changes nothing.
    ///   - random: from 0 up to 1, for jitter.
    package init(
        configuration: PostgresConfiguration, io: LoopIO, logger: Logger, slowLane: SharedLane? = nil,
        rehearsal: [PostgresStatement] = [], random: @escaping () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.io = io
        self.logger = logger
        self.random = random
        self.slowLane = slowLane
        self.rehearsal = rehearsal
        let pools = configuration.lanes
        hot = ConnectionLane(
            .init(connections: pools.hotConnections, depth: pools.hotDepth, waiting: pools.hotWaiting, idle: nil), io: io,
            client: self)
        if slowLane == nil {
            slow = ConnectionLane(
                .init(connections: pools.slowConnections, depth: 1, waiting: pools.slowWaiting, idle: pools.slowIdle), io: io,
                client: self)
        }
        reconnect = LoopTimer { [unowned self] in openMissing() }
        openMissing()
    }

    deinit {
        isClosed = true
        if let reconnect { io.cancel(reconnect) }
        for timer in lifetimes.values { io.cancel(timer) }
    }

    private var lanes: [ConnectionLane] { [hot, slow].compactMap(\.self) }

    /// Whether a call on the hot lane would be sent at once.
    package var isAvailable: Bool { hot?.isReady ?? false }

    /// Connections that are opened from now on go where this says; those that are open stay.
    package func use(_ configuration: PostgresConfiguration) { self.configuration = configuration }

    // MARK: Calls

    /// Runs one statement, in a transaction of its own.
    /// - Parameters:
    ///   - tenant: the user whose rows the statement may see and write, for its transaction alone; nil for none of anybody's.
    ///   - deadline: throws `timedOut` when no answer has come by then; a write may have been done nevertheless.
    package func execute(
        _ statement: PostgresStatement, _ values: [PostgresValue] = [], tenant: UserID? = nil, lane: Lane = .hot,
        deadline: Duration = PostgresClient.deadline
    ) async throws(PostgresError) -> PostgresResult {
        guard let result = try await transaction([(statement, values)], tenant: tenant, lane: lane, deadline: deadline).first
        else { throw .decoding("no result") }
        return result
    }

    /// Runs one statement as `execute` does, and right behind it on the same connection, in a transaction of its own and without a wait
    /// between them, another one that has no values.
    /// - Returns: the first one's result, and how the second one ended.
    package func execute(
        _ statement: PostgresStatement, _ values: [PostgresValue], then next: PostgresStatement, deadline: Duration
    ) async throws(PostgresError) -> (PostgresResult, Result<Void, PostgresError>) {
        var last: PostgresCall.Outcome?
        let step = PostgresCall.Step(statement: statement, values: try ParameterBuffer(values))
        let results = try await run(
            [step], then: [.init(statement: next, values: try ParameterBuffer([]))], .hot, deadline
        ) { last = $0 }
        guard let result = results.first, let last else { throw .decoding("no result") }
        return (result, last.map { _ in })
    }

    /// Runs statements in one round trip and one transaction: all take effect, or none. A transaction that falls to a deadlock
    /// or a serialization failure is run again, within the deadline.
    ///
    /// - Parameter tenant: as `execute` has it. It is set by a step of its own in the same round trip, and is gone with the
    ///   transaction, however that ends.
    package func transaction(
        _ steps: [Step], tenant: UserID? = nil, lane: Lane = .hot, deadline: Duration = PostgresClient.deadline
    ) async throws(PostgresError) -> [PostgresResult] {
        if lane == .slow, let slowLane {
            return try await slowLane.transaction(steps, tenant: tenant, deadline: deadline)
        }
        var encoded: [PostgresCall.Step] = []
        encoded.reserveCapacity(steps.count + 1)
        if let tenant {
            encoded.append(.init(statement: Self.enterTenant, values: try ParameterBuffer([.uuid(tenant.uuid)])))
        }
        for (statement, values) in steps { encoded.append(.init(statement: statement, values: try ParameterBuffer(values))) }
        let results = try await run(encoded, lane, deadline)
        return tenant == nil ? results : Array(results.dropFirst())
    }

    /// The policies of row-level security compare with this setting. $1 user.
    private static let enterTenant = PostgresStatement(
        "enter_tenant", "select set_config('playground.tenant', $1::uuid::text, true)", .read)

    /// - Parameter told: how the steps of `next` ended; called where there are some.
    private func run(
        _ steps: [PostgresCall.Step], then next: [PostgresCall.Step] = [], _ lane: Lane, _ deadline: Duration,
        told: (PostgresCall.Outcome) -> Void = { _ in }
    ) async throws(PostgresError) -> [PostgresResult] {
        let end = io.now + deadline.wholeMilliseconds
        var backoff = Backoff()
        while true {
            do {
                if next.isEmpty { return try await send(steps, by: end, on: lane).get() }
                let (first, second) = await send(steps, then: next, by: end, on: lane)
                told(second)
                return try first.get()
            } catch {
                let delay = backoff.delay(random: random())
                guard error.state?.isRetryable == true, backoff.failures < Self.retries,
                    io.now + delay.wholeMilliseconds < end
                else { throw error }
                backoff.failed()
                await io.pause(delay)
            }
        }
    }

    private func send(_ steps: [PostgresCall.Step], by end: Int64, on lane: Lane) async -> PostgresCall.Outcome {
        guard !isClosed, let lane = lane == .hot ? hot : slow else { return .failure(.unavailable("the client is closed")) }
        return await withUnsafeContinuation { continuation in
            lane.submit(PostgresCall(steps, deadline: end, io: io) { continuation.resume(returning: $0) })
        }
    }

    private func send(
        _ steps: [PostgresCall.Step], then next: [PostgresCall.Step], by end: Int64, on lane: Lane
    ) async -> (PostgresCall.Outcome, PostgresCall.Outcome) {
        guard !isClosed, let lane = lane == .hot ? hot : slow else {
            let outcome = PostgresCall.Outcome.failure(.unavailable("the client is closed"))
            return (outcome, outcome)
        }
        return await withUnsafeContinuation { continuation in
            // Which of the two is answered last is not certain where both come to their deadline.
            var first: PostgresCall.Outcome?
            var second: PostgresCall.Outcome?
            let resume = { if let first, let second { continuation.resume(returning: (first, second)) } }
            let behind = PostgresCall(next, deadline: end, io: io) {
                second = $0
                resume()
            }
            lane.submit(
                PostgresCall(steps, next: behind, deadline: end, io: io) {
                    first = $0
                    resume()
                })
        }
    }

    /// Takes no more calls, waits for those in hand, five seconds at most, and closes the connections.
    package func close() async {
        isClosed = true
        if let reconnect { io.cancel(reconnect) }
        let end = io.now + 5_000
        while io.now < end, lanes.contains(where: { $0.isReady && $0.isBusy }) { await io.pause(.milliseconds(10)) }
        for lane in lanes { lane.close(.unavailable("the client is closed")) }
        hot = nil
        slow = nil
    }

    // MARK: Connections

    /// The database has been away for long enough that waiting for it is of no use to a caller.
    func isOutage(since: Int64) -> Bool { backoff.failures > 0 && io.now - since >= Self.grace }
    var outage: PostgresError { lastFailure }

    /// Opens what the lanes lack; while the database is away, one connection at a time.
    func openMissing() {
        if isClosed || reconnect?.isArmed == true { return }
        for lane in lanes {
            while lane.missing > 0 {
                if backoff.failures > 0, lanes.contains(where: \.isOpening) { return }
                lane.open(configuration, host: host)
                // It failed at once, and the next attempt has its time.
                if reconnect?.isArmed == true { return }
            }
        }
    }

    /// What a connection of the lane does before it is given calls.
    func rehearsal(of lane: ConnectionLane) -> [PostgresCall.Step] {
        guard lane === hot, let none = try? ParameterBuffer([]) else { return [] }
        return rehearsal.map { .init(statement: $0, values: none) }
    }

    func opened(_ connection: PostgresConnection, in lane: ConnectionLane) {
        if backoff.failures > 0 { logger.info("connected to the database again") }
        backoff.succeeded()
        if let reconnect { io.cancel(reconnect) }
        let id = ObjectIdentifier(connection)
        let timer = LoopTimer { [unowned self, unowned lane, unowned connection] in
            lifetimes[id] = nil
            lane.retire(connection)
        }
        lifetimes[id] = timer
        // Not all at the same time.
        io.schedule(timer, after: configuration.lifetime * (0.8 + 0.4 * random()))
        openMissing()
    }

    func failedToOpen(host tried: Int, _ reason: PostgresError) {
        if isClosed { return }
        // Attempts that were made at the same time count once. The next one may have waited for this one to end.
        if tried != host { return tryAgain(after: backoff.delay(random: random())) }
        lastFailure = reason
        host += 1
        // The next host is tried at once; a round of all of them is one failure.
        if host % configuration.hostCount != 0 { return tryAgain(after: .zero) }
        if backoff.failures == 0 { logger.warning("the database is not available", metadata: ["reason": "\(reason)"]) }
        backoff.failed()
        tryAgain(after: backoff.delay(random: random()))
    }

    func lost(_ connection: PostgresConnection, _ reason: PostgresError) {
        if let timer = lifetimes.removeValue(forKey: ObjectIdentifier(connection)) { io.cancel(timer) }
        if isClosed { return }
        if connection.isDraining {
            logger.debug("replaced a connection to the database")
        } else {
            logger.warning("lost a connection to the database", metadata: ["reason": "\(reason)"])
        }
        tryAgain(after: backoff.delay(random: random()))
    }

    private func tryAgain(after delay: Duration) {
        if let reconnect, !reconnect.isArmed { io.schedule(reconnect, after: delay) }
    }
}
