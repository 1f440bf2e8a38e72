/// What went wrong between us and the database. No text in it holds a password or the connection string.
package enum PostgresError: Error, Sendable, Equatable {
    /// No connection: nothing was sent, or what was sent could not have changed anything.
    case unavailable(String)
    /// Too many calls wait already; nothing was sent.
    case overloaded
    /// No answer by the caller's deadline. Whether a write took place is unknown, as with ``unknownOutcome``.
    case timedOut
    /// The connection was lost after a write had been sent and before it was confirmed: it may or may not have been done.
    case unknownOutcome
    /// The server refused the statement; the whole call was rolled back.
    case server(SQLState, message: String, constraint: String?)
    /// A result did not have the form that the caller reads: a fault in this program or in the schema.
    case decoding(String)
    /// A value cannot be written as PostgreSQL text (U+0000). Nothing was sent.
    case invalidValue(String)

    /// The state that the server named, if the server spoke.
    package var state: SQLState? {
        if case .server(let state, _, _) = self { state } else { nil }
    }

    /// The constraint that refused the row, if one did.
    package var constraint: String? {
        if case .server(_, _, let constraint) = self { constraint } else { nil }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let cause): "database unavailable: \(cause)"
        case .overloaded: "too many calls wait for the database"
        case .timedOut: "the database did not answer in time"
        case .unknownOutcome: "the connection to the database was lost before a write was confirmed"
        case .server(let state, let message, let constraint):
            "database error \(state.rawValue): \(message)" + (constraint.map { " (constraint \($0))" } ?? "")
        case .decoding(let what): "unexpected database result: \(what)"
        case .invalidValue(let what): "invalid database value: \(what)"
        }
    }
}
