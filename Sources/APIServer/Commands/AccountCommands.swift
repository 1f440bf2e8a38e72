import ArgumentParser
import Auth
import EventLoop
import Logging
import PlaygroundCore
import Postgres

/// `user create` under the name that it had before.
struct CreateUserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-user", abstract: "Create an account, as `user create` does.",
        discussion:
            "\(OperatorDatabase.need) The password is read from standard input, so that it is in no history: its first line.",
        shouldDisplay: false)

    @Option(help: "The address the person logs in with.")
    var email: String

    func run() async throws { StandardOutput.line("\(try await OperatorAccounts.create(email))") }
}

struct LoadTokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load-tokens", abstract: "Create throw-away users for load tests, and print one token a line.",
        discussion: """
            Needs DATABASE_URL or MIGRATE_DATABASE_URL, whichever owns the tables, and SESSION_KEYS. The tokens are valid for a day, and only for a server that runs with \
            ALLOW_LOAD_TOKENS=1.
            """)

    @Option(help: "How many users to create, up to 100000.")
    var count: Int

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("--count has to be 1 to 100000") }
    }

    func run() async throws {
        let count = count
        let tokens = try await OperatorAccounts.run(keys: try Configuration.keysOnly()) { accounts in
            try await accounts.createLoadUsers(count)
        }
        StandardOutput.line(tokens.joined(separator: "\n"))
    }
}

/// The accounts in the database, for as long as a command runs.
enum OperatorAccounts {
    /// Makes an account whose password is on standard input.
    static func create(_ email: String) async throws -> UserID {
        guard let password = readLine(strippingNewline: true) else {
            throw ValidationError("the password is expected on standard input")
        }
        return try await OperatorDatabase.run { database in
            let user = try await service(database, keys: nil).createUser(email: email, password: password)
            try await audit(.accountCreated, user.id, database)
            return user.id
        }
    }

    /// Tells the audit trail what the operator has done to an account.
    static func audit(
        _ kind: AuditEvent.Kind, _ user: UserID, _ database: PostgresClient, detail: String? = nil
    ) async throws(ServiceError) {
        let sink = LogSink(descriptor: 2)
        defer { sink.flush() }
        let logger = Logger(label: "operator") { JSONLogHandler(label: $0, level: .notice, sink: sink) }
        let event = AuditEvent(kind, by: .unknown, of: .user(user), from: .operation, detail: detail)
        try await AuditLog.write(event, to: database, logger: logger)
    }

    /// - Parameter keys: nil where the command signs nothing.
    static func run<Result: Sendable>(
        keys: KeyRing?, _ body: @escaping @Sendable (AccountService) async throws -> Result
    ) async throws -> Result {
        try await OperatorDatabase.run { database in try await body(service(database, keys: keys)) }
    }

    /// The same over a database that is open.
    static func service(_ database: PostgresClient, keys: KeyRing?) throws -> AccountService {
        let keys =
            try keys ?? KeyRing(parsing: "operator:\(Base64.standard.encode((0..<32).map { _ in UInt8.random(in: 0...255) }))")
        return AccountService(
            database: database, keys: SessionKeys(keys), hasher: PasswordHasher(), revoked: RevokedSessions(),
            isRegistrationOpen: true, now: SystemClock.microseconds)
    }
}
