package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres
import StrictJSON

/// Tells of every event of authentication twice: in one line of the log at once, and in one row of the database soon. Nobody waits for
/// a row and no request fails for want of one; what goes along with a change is written in the change's own transaction.
///
/// One a loop, and it belongs to it. Rows that find no room while the database is away are counted as lost; their lines are there.
package final class AuditLog {
    private static let deadline = Duration.seconds(5)
    /// Between two batches: what comes meanwhile goes out together.
    private static let gathering = Duration.milliseconds(50)

    let database: PostgresClient
    private let account: (EmailAddress) -> String?
    private let io: LoopIO
    private let logger: Logger
    private let lost: (Int) -> Void
    private var queue = AuditQueue()
    private var backoff = Backoff()
    private var pause: LoopTimer?
    private var resume: (() -> Void)?
    /// Since the last look at the queue.
    private var isWoken = false
    /// Rows that are on their way to the database.
    private var inFlight = 0
    private var isClosed = false
    /// Rows lost since the database last took some.
    private var losses = 0

    /// - Parameters:
    ///   - account: a keyed hash of an address, the same on every replica: what is told of people who have no account. Nil where
    ///     nothing shall be.
    ///   - lost: is told of rows that were lost, how many.
    package init(
        database: PostgresClient, io: LoopIO, logger: Logger, account: @escaping (EmailAddress) -> String?,
        lost: @escaping (Int) -> Void
    ) {
        self.database = database
        self.io = io
        self.logger = logger
        self.account = account
        self.lost = lost
        pause = LoopTimer { [unowned self] in wake() }
    }

    deinit {
        if let pause { io.cancel(pause) }
    }

    // MARK: Telling

    /// Logs an event and has its row written. Returns at once.
    package func record(_ event: AuditEvent) {
        log(event)
        guard let id = try? SecureRandom.uuid() else { return lose(1) }
        lose(queue.add(event, id: id, now: now))
        wake()
    }

    /// The step that writes an event's row in the transaction of the change that it tells of. When that is done the event is to be
    /// given to ``log(_:)``.
    package func step(_ event: AuditEvent) throws(ServiceError) -> PostgresClient.Step {
        try Self.step(event, account: account)
    }

    /// The same for a statement that writes it besides what it does, by calling `record_audit_events` with this.
    package func row(of event: AuditEvent) throws(ServiceError) -> String {
        Self.text(of: [AuditQueue.Row(id: try SecureRandom.uuid(), event: event, at: 0, lastAt: 0)], now: 0, account: account)
    }

    /// Logs an event of an operator's command, writes it, and waits for that.
    package static func write(
        _ event: AuditEvent, to database: PostgresClient, logger: Logger
    ) async throws(ServiceError) {
        log(event, to: logger) { _ in nil }
        let (statement, values) = try step(event) { _ in nil }
        do {
            _ = try await database.execute(statement, values, deadline: deadline)
        } catch {
            throw error.serviceError
        }
    }

    private static func step(
        _ event: AuditEvent, account: (EmailAddress) -> String?
    ) throws(ServiceError) -> PostgresClient.Step {
        let row = AuditQueue.Row(id: try SecureRandom.uuid(), event: event, at: 0, lastAt: 0)
        return (AuditStatements.record, [.text(text(of: [row], now: 0, account: account))])
    }

    /// The line of an event. It never names an e-mail address.
    package func log(_ event: AuditEvent) { Self.log(event, to: logger, account: account) }

    private static func log(_ event: AuditEvent, to logger: Logger, account: (EmailAddress) -> String?) {
        var metadata: Logger.Metadata = ["event": .string(event.kind.rawValue), "outcome": .string(event.outcome.rawValue)]
        switch event.subject {
        case .unnamed: break
        case .user(let user): metadata["user_id"] = .string(user.description)
        case .address(let address): metadata["account"] = account(address).map { .string($0) }
        }
        if case .user(let user) = event.actor { metadata["actor_id"] = .string(user.description) }
        metadata["session_id"] = event.session.map { .string($0.description) }
        metadata["client"] = event.origin.address.map { .string($0) }
        metadata["user_agent"] = event.origin.userAgent.map { .string($0) }
        metadata["request_id"] = event.origin.requestID.map { .string($0.description) }
        metadata["detail"] = event.detail.map { .string($0) }
        logger.notice("audit", metadata: metadata)
    }

    // MARK: Writing

    /// Writes until closed.
    package func run() async {
        while !isClosed {
            isWoken = false
            lose(queue.endWindows(now: now))
            if queue.isEmpty {
                await sleep(queue.nextEnd.map { .microseconds(max(1, $0 - now)) })
            } else if await write() {
                await io.pause(Self.gathering)
            } else {
                let delay = backoff.delay(random: .random(in: 0..<1))
                backoff.failed()
                await io.pause(delay)
            }
        }
    }

    /// Writes all there is, open counts too, as far as the database takes it in time; then nothing more is written.
    package func drain(_ timeout: Duration) async {
        let deadline = io.now + timeout.wholeMilliseconds
        lose(queue.endWindows(now: now, all: true))
        wake()
        while !queue.isEmpty || inFlight > 0, io.now < deadline { await io.pause(.milliseconds(20)) }
        isClosed = true
        wake()
        lose(queue.count + inFlight)
    }

    /// Removes events older than so many days, a few thousand at most; how many. For a task that comes by now and then.
    @discardableResult
    package func purge(keptDays: Int, most: Int = 5_000) async throws(ServiceError) -> Int {
        do {
            let values: [PostgresValue] = [.int(keptDays), .int(most)]
            let result = try await database.execute(AuditStatements.purge, values, lane: .slow, deadline: .seconds(10))
            return Int(try result.int(0, 0))
        } catch {
            throw error.serviceError
        }
    }

    /// Writes one batch; whether the database has taken it.
    private func write() async -> Bool {
        let batch = queue.take()
        inFlight = batch.count
        defer { inFlight = 0 }
        do throws(PostgresError) {
            let text = Self.text(of: batch, now: now, account: account)
            _ = try await database.execute(AuditStatements.record, [.text(text)], lane: .slow, deadline: Self.deadline)
            queue.finished()
            backoff.succeeded()
            if losses > 0 { logger.error("audit events were lost", metadata: ["count": .stringConvertible(losses)]) }
            losses = 0
            return true
        } catch {
            let isPoison = error.state.map { !$0.meansUnavailable } ?? false
            logger.warning("audit events not written", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            lose(queue.failed(batch, isPoison: isPoison))
            return false
        }
    }

    /// Monotonic microseconds.
    private var now: Int64 { SystemClock.monotonicNanoseconds() / 1_000 }

    private static func text(of rows: [AuditQueue.Row], now: Int64, account: (EmailAddress) -> String?) -> String {
        var writer = JSONWriter()
        writer.array { writer in for row in rows { row.write(to: &writer, now: now, account: account) } }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func lose(_ count: Int) {
        if count == 0 { return }
        losses += count
        lost(count)
    }

    private func sleep(_ longest: Duration?) async {
        await withUnsafeContinuation { continuation in
            // Something may have come between the look at the queue and this.
            if isWoken { return continuation.resume() }
            resume = { continuation.resume() }
            if let longest, let pause { io.schedule(pause, after: longest) }
        }
    }

    private func wake() {
        if let pause { io.cancel(pause) }
        isWoken = true
        let resume = resume
        self.resume = nil
        resume?()
    }
}
