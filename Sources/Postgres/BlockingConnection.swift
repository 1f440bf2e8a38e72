/// A connection whose calls wait, for commands and tests; never for a loop.
package final class BlockingConnection {
    private let handle: ConnectionHandle

    /// Connects; waits for `connect_timeout` and host.
    package init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        handle = try ConnectionHandle(connecting: configuration.parameters)
        if handle.isBad { throw .unavailable(configuration.redact(handle.message)) }
        handle.receiveNotices({ _, _ in }, nil)
    }

    /// Runs a text of any number of statements; the result is that of the last one.
    @discardableResult
    package func run(_ sql: String) throws(PostgresError) -> PostgresResult {
        try checked(handle.execute(sql))
    }

    /// Runs one statement with values.
    @discardableResult
    package func run(_ sql: String, _ values: [PostgresValue]) throws(PostgresError) -> PostgresResult {
        try checked(handle.execute(sql, ParameterBuffer(values)))
    }

    /// In a transaction that was begun explicitly and has not failed.
    var isInTransaction: Bool { handle.isInTransaction }

    private func checked(_ result: ResultHandle?) throws(PostgresError) -> PostgresResult {
        guard let result else { throw .unavailable(handle.message) }
        switch result.status {
        case .success: return PostgresResult(result)
        case .error: throw result.serverError ?? .unavailable(result.message)
        case .aborted, .sync, .unexpected: throw .decoding("a result of an unexpected kind")
        }
    }
}
