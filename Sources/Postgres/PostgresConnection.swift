import EventLoop
import Logging

/// Hears of one connection, on the loop.
protocol PostgresConnectionOwner: AnyObject {
    /// Calls can be sent.
    func connectionReady(_ connection: PostgresConnection)
    /// Calls were answered: there is room for others.
    func connectionProgressed(_ connection: PostgresConnection)
    /// The connection serves, but a fresh one would serve better: it has lost a statement, or a plan is out of date.
    func connectionOutdated(_ connection: PostgresConnection)
    func notificationReceived(channel: String, payload: String)
    /// The last message. All calls have been answered.
    func connectionClosed(_ connection: PostgresConnection, _ reason: PostgresError)
}

/// One connection: connects without waiting, pipelines calls, and matches results to them in order.
///
/// Every call is a sync group of its own, which is one implicit transaction: a call that fails affects no other. A statement is
/// prepared, in a sync group of its own, when the connection first meets it.
final class PostgresConnection {
    enum Phase {
        case connecting, ready, closed
    }

    /// How long an answer may be overdue, with nothing at all arriving, before the connection is given up.
    private static let patience: Int64 = 5_000

    let host: Int
    private(set) var phase = Phase.connecting
    /// To be replaced; used until the replacement is there.
    var isRetiring = false
    /// Replaced: given no more calls, closed when it has answered those it has.
    var isDraining = false
    private(set) var callsInFlight = 0

    private let configuration: PostgresConfiguration
    private let io: LoopIO
    private let logger: Logger
    private weak var owner: (any PostgresConnectionOwner)?
    private var handle: ConnectionHandle?
    private var channel: SocketChannel?
    private var wantsToWrite = false
    private var expected = FIFO<Expectation>()
    private var prepared: [String: Preparation] = [:]
    /// The server refused a commit: libpq puts a nil between that error and the sync.
    private var isCommitRefused = false
    /// When something last arrived.
    private var lastProgress: Int64
    /// For connecting first, then for answers that do not come.
    private var timer: LoopTimer?
    private var timerDue: Int64 = 0

    /// - Parameter host: which of the configured hosts, modulo their number.
    init(
        _ configuration: PostgresConfiguration, host: Int, io: LoopIO, logger: Logger, owner: any PostgresConnectionOwner
    ) {
        self.configuration = configuration
        self.host = host
        self.io = io
        self.logger = logger
        self.owner = owner
        lastProgress = io.now
    }

    deinit {
        unwatch()
        if let timer { io.cancel(timer) }
    }

    // MARK: Connecting

    /// Begins to connect; the owner hears of the outcome, at once if it fails at once.
    func open() {
        do {
            handle = try ConnectionHandle(starting: configuration.parameters(host: host))
        } catch {
            return lose(error)
        }
        handle?.receiveNotices(
            { context, result in
                guard let context, let result else { return }
                let connection = Unmanaged<PostgresConnection>.fromOpaque(context).takeUnretainedValue()
                connection.logger.debug("PostgreSQL notice", metadata: ["notice": "\(ResultHandle.noticeText(result))"])
            }, Unmanaged.passUnretained(self).toOpaque())
        if handle?.isBad ?? true { return lose(complaint()) }
        let timer = LoopTimer { [unowned self] in timeIsUp() }
        self.timer = timer
        io.schedule(timer, after: configuration.connectTimeout)
        watch([.writable])
    }

    fileprivate func ready(_ readiness: Readiness) {
        switch phase {
        case .connecting: continueConnecting()
        case .ready:
            if !readiness.isDisjoint(with: [.readable, .gone]) { receive() }
            if phase == .ready, readiness.contains(.writable) { flush() }
        case .closed: break
        }
    }

    private func continueConnecting() {
        // libpq may close this socket and open the next one under the same number.
        unwatch()
        switch handle?.poll() {
        case .waitReadable: watch([.readable])
        case .waitWritable: watch([.writable])
        case .connected:
            guard handle?.enterPipelineMode() == true else { return lose(complaint()) }
            if let timer { io.cancel(timer) }
            phase = .ready
            watch([.readable])
            owner?.connectionReady(self)
        case .failed, nil: lose(complaint())
        }
    }

    // MARK: Sending

    /// Sends a call at once, behind those in flight, and what is to come right behind it.
    func send(_ call: PostgresCall) {
        var isSent = append(call)
        if isSent, let next = call.next { isSent = append(next) }
        guard isSent else { return lose(complaint()) }
        flush()
        watch(for: call.deadline + Self.patience)
    }

    private func append(_ call: PostgresCall) -> Bool {
        var isSent = true
        for step in call.steps where prepared[step.statement.name] == nil {
            isSent = isSent && prepare(step.statement, deadline: call.deadline)
        }
        for step in call.steps {
            guard let preparation = prepared[step.statement.name] else { continue }
            precondition(
                preparation.statement.sql == step.statement.sql, "two statements are named \(step.statement.name)")
            isSent = isSent && handle?.sendPrepared(name: step.statement.name, step.values, step.statement.form) == true
            expected.append(.step(call, preparation))
        }
        isSent = isSent && handle?.sync() == true
        expected.append(.end(call))
        callsInFlight += 1
        return isSent
    }

    /// Has the oldest answer looked for at that time, or earlier.
    private func watch(for due: Int64) {
        guard let timer, !timer.isArmed || due < timerDue else { return }
        timerDue = due
        io.schedule(timer, after: .milliseconds(due - io.now))
    }

    private func prepare(_ statement: PostgresStatement, deadline: Int64) -> Bool {
        let preparation = Preparation(statement, deadline: deadline)
        prepared[statement.name] = preparation
        expected.append(.preparation(preparation))
        expected.append(.endOfPreparation(preparation))
        return handle?.sendPrepare(name: statement.name, sql: statement.sql) == true && handle?.sync() == true
    }

    private func flush() {
        guard let flushed = handle?.flush(), flushed != .failed else { return lose(complaint()) }
        if wantsToWrite != (flushed == .some), let channel {
            wantsToWrite = flushed == .some
            io.modify(channel, wantsToWrite ? [.readable, .writable] : [.readable])
        }
    }

    // MARK: Receiving

    private func receive() {
        let callsBefore = callsInFlight
        var isAlive = handle?.consumeInput() == true
        takeResults()
        // A TLS record of 16 KiB may be more than libpq had room for, and the rest of it makes no socket readable.
        var further = handle?.usesTLS == true ? 2 : 0
        while isAlive, further > 0, phase == .ready, !expected.isEmpty {
            isAlive = handle?.consumeInput() == true
            takeResults()
            further -= 1
        }
        while phase == .ready, let notification = handle?.nextNotification() {
            owner?.notificationReceived(channel: notification.channel, payload: notification.payload)
        }
        // What had arrived before the end counts: it may be the answer, or the reason.
        if !isAlive { return lose(complaint()) }
        if phase == .ready, callsInFlight < callsBefore { owner?.connectionProgressed(self) }
    }

    private func takeResults() {
        while phase == .ready, let expectation = expected.first, handle?.isBusy == false {
            lastProgress = io.now
            guard let result = handle?.nextResult() else {
                takeEnd(of: expectation)
                continue
            }
            take(result, for: expectation)
        }
    }

    private func take(_ result: ResultHandle, for expectation: Expectation) {
        if result.status == .error {
            guard let error = result.serverError else { return lose(.unavailable(configuration.redact(result.message))) }
            return take(error, for: expectation)
        }
        switch (expectation, result.status) {
        case (.preparation, .success), (.step, .aborted): break
        case (.step(let call, _), .success): call.received(PostgresResult(result))
        case (.endOfPreparation, .sync): expected.popFirst()
        case (.end(let call), .sync):
            expected.popFirst()
            callsInFlight -= 1
            call.completed()
        default: lose(.unavailable("the server's results do not match what was sent"))
        }
    }

    private func take(_ error: PostgresError, for expectation: Expectation) {
        switch expectation {
        case .preparation(let preparation):
            preparation.failure = error
            let name = preparation.statement.name
            if prepared[name] === preparation { prepared[name] = nil }
        case .step(let call, let preparation):
            if error.state == .invalidStatementName, let failure = preparation.failure { return call.failed(failure) }
            call.failed(error)
            // "cached plan must not change result type": the table was altered since the statement was prepared.
            if error.state == .invalidStatementName || error.state == .featureNotSupported { owner?.connectionOutdated(self) }
        case .end(let call):
            // A deferred constraint, for instance.
            call.failed(error)
            isCommitRefused = true
        case .endOfPreparation: lose(error)
        }
    }

    private func takeEnd(of expectation: Expectation) {
        switch expectation {
        case .preparation, .step: expected.popFirst()
        case .end where isCommitRefused: isCommitRefused = false
        case .end, .endOfPreparation: lose(.unavailable("the server's results do not match what was sent"))
        }
    }

    // MARK: The end

    /// Closes it; its calls are answered as after a loss.
    func close() { lose(.unavailable("the connection was closed")) }

    private func timeIsUp() {
        if phase == .connecting { return lose(.unavailable("no connection within \(configuration.connectTimeout)")) }
        guard let oldest = expected.first else { return }
        let due = max(oldest.deadline, lastProgress) + Self.patience
        if due <= io.now { return lose(.unavailable("the server stopped answering")) }
        watch(for: due)
    }

    private func lose(_ reason: PostgresError) {
        if phase == .closed { return }
        phase = .closed
        unwatch()
        if let timer { io.cancel(timer) }
        handle = nil
        callsInFlight = 0
        for case .end(let call) in expected.removeAll() { call.connectionLost(reason) }
        owner?.connectionClosed(self, reason)
    }

    private func complaint() -> PostgresError {
        .unavailable(configuration.redact(handle?.message ?? "no connection"))
    }

    private func watch(_ interest: Readiness) {
        guard let socket = handle?.socket, socket >= 0 else { return lose(complaint()) }
        let channel = SocketChannel(descriptor: socket, connection: self)
        self.channel = channel
        wantsToWrite = false
        // Level-triggered: libpq does not always read all there is.
        io.register(channel, interest)
    }

    private func unwatch() {
        guard let channel else { return }
        self.channel = nil
        io.deregister(channel, close: false)
    }
}

/// libpq's socket, as the loop sees it; libpq closes it.
private final class SocketChannel: Channel {
    private unowned let connection: PostgresConnection

    init(descriptor: Int32, connection: PostgresConnection) {
        self.connection = connection
        super.init(descriptor: descriptor)
    }

    override func ready(_ readiness: Readiness) { connection.ready(readiness) }
}
