package import Postgres

/// Keeps the table of bills in parts of a month each: those of the coming months are made ahead, and those beyond the retention
/// are dropped. Any number of processes may do it at the same time.
package final class UsageKeeper {
    private static let maintain = PostgresStatement("usage_maintain", "select maintain_usage($1::int)")
    /// The function itself waits for no lock longer than 100 ms.
    private static let deadline = Duration.seconds(10)
    private let database: PostgresClient
    private let keptMonths: Int?

    /// - Parameter keptMonths: how many months are kept before the current one; nil for all.
    package init(database: PostgresClient, keptMonths: Int?) {
        self.database = database
        self.keptMonths = keptMonths
    }

    /// Does what is due, a month at a time so that nobody waits long. Throws ``SQLState/lockNotAvailable`` as a server's error
    /// where the table was in use; what was done until then stays done.
    package func run() async throws(PostgresError) {
        let months = PostgresValue.int(keptMonths.map { Int64($0) })
        while try await database.execute(Self.maintain, [months], lane: .slow, deadline: Self.deadline).bool(0, 0) {}
    }
}
