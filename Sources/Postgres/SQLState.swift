/// A PostgreSQL error code: five characters, PostgreSQL manual appendix A. Only those that some code decides on have a name.
package struct SQLState: RawRepresentable, Sendable, Hashable {
    /// The five characters.
    package let rawValue: String

    /// Any state; it is compared, not checked.
    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// A unique index refused the row.
    package static let uniqueViolation = SQLState(rawValue: "23505")
    /// A row that is referred to does not exist, or still is.
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    /// Two transactions could not be put in an order; running one again is safe.
    package static let serializationFailure = SQLState(rawValue: "40001")
    /// Chosen as the victim of a deadlock; running it again is safe.
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    /// A lock was not got within lock_timeout.
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// The table does not exist: not migrated.
    package static let undefinedTable = SQLState(rawValue: "42P01")
    /// The connection does not know the prepared statement.
    package static let invalidStatementName = SQLState(rawValue: "26000")
    /// Among others: a cached plan whose result type has changed since.
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    /// The server is a standby, or was made one: it takes no writes.
    package static let readOnlyTransaction = SQLState(rawValue: "25006")

    /// The transaction was rolled back for reasons outside it, and may be run again as it is.
    package var isRetryable: Bool { self == .serializationFailure || self == .deadlockDetected }

    /// The server could not serve, whatever the statement.
    package var meansUnavailable: Bool {
        if isRetryable || self == .lockNotAvailable || self == .readOnlyTransaction { return true }
        // Classes: 08 connection exception, 53 insufficient resources, 57 operator intervention (shutdown, start-up, cancel).
        return ["08", "53", "57"].contains { rawValue.hasPrefix($0) }
    }
}
