package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// Keeps `RevokedSessions` current: notifications tell at once, a poll every 500 ms tells what they missed. One for the process;
/// it belongs to the loop it was made on, where the process's listening connection has to be as well.
package final class RevocationFeed {
    private static let interval = Duration.milliseconds(500)
    /// Seconds that a poll reaches back beyond the last one: a statement commits at most this long after its `now()`.
    private static let overlap: Int64 = 30

    private let database: PostgresClient
    private let revoked: RevokedSessions
    private let io: LoopIO
    private let logger: Logger
    private let now: WallClock
    private var pause: LoopTimer?
    private var resume: (() -> Void)?
    private var isStopped = false
    /// Monotonic milliseconds of the last poll that succeeded; nil asks for all that is remembered.
    private var lastPoll: Int64?
    private var isFailing = false

    /// - Parameters:
    ///   - database: of the same loop, for the polls.
    ///   - now: microseconds since 1970.
    package init(
        database: PostgresClient, revoked: RevokedSessions, io: LoopIO, logger: Logger, now: @escaping WallClock
    ) {
        self.database = database
        self.revoked = revoked
        self.io = io
        self.logger = logger
        self.now = now
        pause = LoopTimer { [unowned self] in wake() }
    }

    deinit {
        if let pause { io.cancel(pause) }
    }

    /// What the listening connection has to listen to.
    package var subscription: PostgresListener.Subscription {
        PostgresListener.Subscription(
            channel: SessionStatements.channel,
            // Notifications were lost while it was away.
            onConnected: { [weak self] in self?.lastPoll = nil },
            onNotification: { [weak self] payload in self?.heard(payload) })
    }

    /// Polls until it is stopped.
    package func run() async {
        while !isStopped {
            await poll()
            if isStopped { return }
            await withUnsafeContinuation { continuation in
                resume = { continuation.resume() }
                if let pause { io.schedule(pause, after: Self.interval) }
            }
        }
    }

    /// Ends `run`.
    package func stop() {
        isStopped = true
        if let pause { io.cancel(pause) }
        wake()
    }

    private func wake() {
        let resume = resume
        self.resume = nil
        resume?()
    }

    private func heard(_ payload: String) {
        guard let session = SessionID(payload) else { return }
        revoked.insert(session, age: 0, now: now() / 1_000_000)
    }

    private func poll() async {
        let started = io.now
        let isFull = lastPoll == nil
        let reach = lastPoll.map { min(RevokedSessions.memory, (started - $0) / 1_000 + Self.overlap) } ?? RevokedSessions.memory
        lastPoll = started
        do {
            let result = try await database.execute(
                SessionStatements.recentlyRevoked, [.int(reach), .int(RevokedSessions.capacity)], lane: isFull ? .slow : .hot)
            let now = now() / 1_000_000
            for row in result.rows {
                revoked.insert(SessionID(try result.uuid(row, 0)), age: try result.int(row, 1), now: now)
            }
            if isFull { revoked.markLoaded() }
            if isFailing { logger.notice("revoked sessions are read again") }
            isFailing = false
        } catch {
            // Everything from before the failure on is asked for again.
            lastPoll = nil
            if !isFailing { logger.warning("revoked sessions could not be read", metadata: ["cause": "\(error)"]) }
            isFailing = true
        }
    }
}
