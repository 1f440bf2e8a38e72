package import PlaygroundCore
package import Postgres

/// What all users together may spend, and whether anybody may: what an operator reads and changes. It holds for the next admission
/// on every replica, because that reads it.
package final class InstanceBook {
    /// UTF-8 bytes of the reason for a pause.
    package static let longestReason = 500

    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// How the instance stands.
    package func standing() async throws(ServiceError) -> InstanceStanding {
        do throws(PostgresError) {
            return try InstanceStanding(try await database.execute(InstanceStatements.show, lane: .slow))
        } catch {
            throw error.serviceError
        }
    }

    /// Changes the budgets per day and month; other limits an instance does not have.
    ///
    /// The first budget, with which counting begins, finds the running day and month counted from the bills and from what runs; and
    /// exactly so, because no replica admits or settles anything while that is done: with millions of bills in a month for a
    /// second or more, in which admissions wait. Later ones change nothing but the budget.
    ///
    /// Throws `database_unavailable`, and has changed nothing, where somebody works on the tables so long (a dump) that waiting for
    /// them would hold up everybody.
    package func set(_ changes: LimitChanges) async throws(ServiceError) -> InstanceStanding {
        do throws(PostgresError) {
            _ = try await database.transaction(
                [
                    (InstanceStatements.hurry, []), (InstanceStatements.close, []), (InstanceStatements.enlist, []),
                    (InstanceStatements.count, []), (InstanceStatements.change, [.text(changes.overrides)]),
                ], lane: .slow, deadline: .seconds(35))
        } catch {
            guard error.state == .lockNotAvailable else { throw error.serviceError }
            throw ServiceError(
                .databaseUnavailable, "Something works on the instance's tables for long, a dump perhaps; nothing was changed",
                retryAfter: .seconds(1), cause: "\(error)")
        }
        return try await standing()
    }

    /// Refuses every completion from now on; those that run go on. Pausing again changes the reason.
    /// - Parameter reason: for the users to read, at most ``longestReason`` bytes.
    package func pause(_ reason: String?) async throws(ServiceError) -> InstanceStanding {
        try await write(InstanceStatements.pause, [.text(reason)])
    }

    /// Takes completions again.
    package func resume() async throws(ServiceError) -> InstanceStanding { try await write(InstanceStatements.resume, []) }

    private func write(_ statement: PostgresStatement, _ values: [PostgresValue]) async throws(ServiceError) -> InstanceStanding {
        do throws(PostgresError) {
            _ = try await database.execute(statement, values, lane: .slow)
        } catch {
            throw error.serviceError
        }
        return try await standing()
    }
}

/// How the instance stands: its budgets and what is counted in them.
package struct InstanceStanding: Sendable, Equatable {
    /// Nil for no limit.
    package let tokensPerDay: Int64?
    /// Nil for no limit.
    package let tokensPerMonth: Int64?
    /// Tokens of what was admitted today, by the calendar of UTC, as far as is known; nil where nothing is counted, because there is
    /// no budget.
    package let usedToday: Int64?
    /// The same of this month.
    package let usedThisMonth: Int64?
    /// Since when no completion is taken; nil where they are.
    package let pausedAt: Timestamp?
    package let pauseReason: String?

    init(_ result: PostgresResult) throws(PostgresError) {
        tokensPerDay = try result.intIfPresent(0, 0)
        tokensPerMonth = try result.intIfPresent(0, 1)
        let isCounted = tokensPerDay != nil || tokensPerMonth != nil
        usedToday = isCounted ? try result.int(0, 2) : nil
        usedThisMonth = isCounted ? try result.int(0, 3) : nil
        pausedAt = try result.intIfPresent(0, 4).map { Timestamp(microseconds: $0) }
        pauseReason = try result.stringIfPresent(0, 5)
    }
}
