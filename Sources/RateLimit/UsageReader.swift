package import PlaygroundCore
package import Postgres

/// One loop's way to what users have used, by the bills. Bills hold numbers and names, nothing of a prompt or a text.
package final class UsageReader {
    /// A year of a busy user is read through.
    private let database: PostgresClient

    package init(database: PostgresClient) {
        self.database = database
    }

    /// A page of the owner's report, at most `limit` rows, behind `cursor` or from the start. Throws `database_unavailable`.
    package func report(
        _ period: UsagePeriod, limit: Int, after cursor: UsageCursor?, of owner: UserID
    ) async throws(ServiceError) -> UsageReport {
        let values: [PostgresValue] = [
            .uuid(owner.uuid), Self.day(period.days?.lowerBound), Self.day(period.days?.upperBound), .int(limit),
            Self.day(cursor?.date), .text(cursor?.model), .uuid(cursor?.presetID?.uuid),
        ]
        do throws(PostgresError) {
            let result = try await database.execute(UsageStatements.report, values, tenant: owner, lane: .slow)
            let days = try (Self.date(result, 0, 9), Self.date(result, 0, 10))
            let rows = try result.rows.dropFirst().prefix(limit).map { row throws(PostgresError) in
                UsageRow(
                    date: try Self.date(result, row, 0), model: try result.string(row, 1),
                    presetID: try result.uuidIfPresent(row, 2).map { PresetID($0) }, sums: try Self.sums(result, row))
            }
            return UsageReport(
                days: days.0...max(days.0, days.1), rows: rows, totals: try Self.sums(result, 0),
                next: result.count - 1 > limit ? rows.last?.cursor : nil)
        } catch {
            throw error.serviceError
        }
    }

    private static func day(_ date: CalendarDate?) -> PostgresValue { .int(date.map { Int64($0.number) }) }

    private static func date(_ result: PostgresResult, _ row: Int, _ column: Int) throws(PostgresError) -> CalendarDate {
        CalendarDate(number: Int(try result.int(row, column)))
    }

    private static func sums(_ result: PostgresResult, _ row: Int) throws(PostgresError) -> UsageSums {
        UsageSums(
            requests: try result.int(row, 3), promptTokens: try result.int(row, 4), completionTokens: try result.int(row, 5),
            cachedTokens: try result.int(row, 6), reasoningTokens: try result.int(row, 7),
            cost: try result.stringIfPresent(row, 8))
    }
}
