import EventLoop
import Logging
import PlaygroundCore
import Postgres

/// The database for as long as an operator's command runs: a loop, a client, and none of a server's configuration.
enum OperatorDatabase {
    /// What the help of every such command says.
    static let need = "Needs MIGRATE_DATABASE_URL, or DATABASE_URL where that is the tables' owner too."

    /// Asks whether who logs in owns the tables: to anybody else they look empty, which no report shall say.
    /// - Throws: ``CommandFailure``; ``ConfigurationError``; what the database says.
    static func configuration() throws -> PostgresConfiguration {
        let configuration = try Configuration.ownersDatabase()
        let owns = try BlockingConnection(configuration).run(
            "select pg_has_role(relowner, 'usage'), relowner::regrole::text from pg_class where oid = to_regclass('public.users')"
        )
        if try !owns.isEmpty && !owns.bool(0, 0) {
            throw CommandFailure(
                description: "this login does not own the tables: set MIGRATE_DATABASE_URL to one of \(try owns.string(0, 1))")
        }
        return configuration
    }

    /// Runs `body` and closes the connections.
    /// - Throws: ``CommandFailure`` for what the database or the rules refuse.
    static func run<Result: Sendable>(
        _ body: @escaping @Sendable (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let configuration = try configuration()
        let loop = EventLoop(name: "operator")
        loop.start()
        do {
            return try await loop.run { loop in
                let logger = Logger(label: "operator") { JSONLogHandler(label: $0, level: .error, sink: LogSink(descriptor: 2)) }
                let database = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
                let result = try await body(database)
                await database.close()
                return result
            }
        } catch let error as ServiceError {
            throw CommandFailure(error)
        }
    }
}

/// An error as an operator reads it.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(description: String) { self.description = description }

    init(_ error: ServiceError) {
        let details = error.errors.isEmpty ? [error.detail] : error.errors.map(\.detail)
        description = (details + [error.cause].compactMap(\.self)).joined(separator: "; ")
    }
}
