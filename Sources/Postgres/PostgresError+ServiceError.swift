package import PlaygroundCore

extension PostgresError {
    /// What the client is told. The cause is for the log: it names states and constraints, never values or secrets.
    package var serviceError: ServiceError {
        switch self {
        case .unavailable, .timedOut:
            return ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: description)
        case .unknownOutcome:
            var error = ServiceError(
                .databaseUnavailable, "The database went away before it confirmed; look whether the change was made",
                retryAfter: .seconds(1), cause: description)
            error.retryable = false
            return error
        case .overloaded:
            return ServiceError(.overloaded, retryAfter: .seconds(1), cause: description)
        case .server(let state, _, _) where state.meansUnavailable:
            return ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: description)
        case .invalidValue:
            return ServiceError(.invalidRequest, "Text must not contain U+0000", cause: description)
        case .server, .decoding:
            return ServiceError(.internalError, cause: description)
        }
    }
}

/// Reads what the database has answered, for who tells a client.
/// - Throws: as ``PostgresError/serviceError`` has it.
package func reading<Value>(_ body: () throws(PostgresError) -> Value) throws(ServiceError) -> Value {
    do {
        return try body()
    } catch {
        throw error.serviceError
    }
}
