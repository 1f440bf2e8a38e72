package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// This process's sign of life, and its part in burying others: it renews a row in the database, and settles what a process that
/// no longer renews has left running. One per process, on any loop.
///
/// A lease is good for 30 s and renewed every 10 s. A process that has not renewed its own lease for 30 s without a gap calls
/// nobody dead: after an outage of the database all leases are old. So a killed process's slots are free after at most 40 s
/// where another replica runs, and 40 s after its own restart where none does.
package final class ProcessLease {
    private static let renewal = Duration.seconds(10)
    private static let deadline = Duration.seconds(5)
    /// Renewals between two clean-ups of rows that nobody needs any more.
    private static let tidyingInterval = 6

    private let database: PostgresClient
    private let process: ProcessID
    private let io: LoopIO
    private let logger: Logger
    private var isReleased = false

    /// Takes nothing yet: ``renew()`` does.
    package init(database: PostgresClient, process: ProcessID, io: LoopIO, logger: Logger) {
        self.database = database
        self.process = process
        self.io = io
        self.logger = logger
    }

    /// Takes the lease, or renews it. Before the process admits anything it has to succeed once.
    package func renew() async throws(PostgresError) {
        _ = try await database.execute(LeaseStatements.renew, [.uuid(process.uuid)], deadline: Self.deadline)
    }

    /// Renews, buries and tidies until ``release()``.
    package func run() async {
        var round = 0
        while !isReleased {
            do throws(PostgresError) {
                try await renew()
                let buried = try await bury()
                if buried > 0 { logger.warning("settled for dead processes", metadata: ["completions": "\(buried)"]) }
                if round % Self.tidyingInterval == 0 { try await tidy() }
            } catch {
                logger.warning("process lease not renewed", metadata: ["error": "\(error)"])
            }
            round += 1
            await io.pause(Self.renewal)
        }
    }

    /// Gives the lease up: after the last settlement of this process.
    package func release() async {
        isReleased = true
        do throws(PostgresError) {
            _ = try await database.execute(LeaseStatements.release, [.uuid(process.uuid)], deadline: Self.deadline)
        } catch {
            logger.warning("process lease not released", metadata: ["error": "\(error)"])
        }
    }

    /// Settles, at what is known to be spent, every completion whose process is dead.
    /// - Returns: how many there were.
    @discardableResult
    package func bury() async throws(PostgresError) -> Int {
        var count = 0
        while true {
            let orphans = try await database.execute(LeaseStatements.orphans, [.uuid(process.uuid)], deadline: Self.deadline)
            if orphans.isEmpty { return count }
            var settlements: [Settlement] = []
            for row in orphans.rows {
                let usage = Usage(
                    promptTokens: Int(try orphans.int(row, 1)), completionTokens: Int(try orphans.int(row, 2)),
                    source: .estimated, maxTokensApplied: 0)
                let completionID = CompletionID(try orphans.uuid(row, 0))
                let attempt = try orphans.uuidIfPresent(row, 3)
                settlements.append(
                    Settlement(completionID: completionID, attempt: attempt, usage: usage, outcome: .processLost))
            }
            _ = try await SettlementColumns(settlements).write(to: database, deadline: Self.deadline)
            count += orphans.count
        }
    }

    /// Removes rows that nobody needs any more.
    func tidy() async throws(PostgresError) {
        _ = try await database.execute(LeaseStatements.tidy, [], deadline: Self.deadline)
    }
}
