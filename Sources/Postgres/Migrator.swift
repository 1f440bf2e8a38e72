/// One step of the schema's history. Steps only go forward, and one that has been applied is never changed.
package struct Migration: Sendable, Equatable {
    /// Orders the steps, as `0001_users`; recorded in the database.
    package let name: String
    /// Any number of statements; they run in one transaction, which they do not end themselves.
    package let sql: String

    /// One step; its name orders it.
    package init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

/// Why a database could not be brought up to date. Each step is either applied in full or not at all.
package enum MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// This step was applied with another text: the history has been rewritten.
    case changed(name: String)
    /// Two steps have the same name.
    case duplicate(name: String)
    /// The step failed and left nothing behind.
    case failed(name: String, PostgresError)
    /// The step ended its transaction itself.
    case endedTransaction(name: String)
    /// The database could not be asked.
    case database(PostgresError)

    package var description: String {
        switch self {
        case .changed(let name): "migration \(name) was changed after it had been applied"
        case .duplicate(let name): "two migrations are called \(name)"
        case .failed(let name, let error): "migration \(name) failed: \(error)"
        case .endedTransaction(let name): "migration \(name) ends its own transaction"
        case .database(let error): "cannot migrate: \(error)"
        }
    }
}

/// Brings a database's schema up to date. Blocks: for commands and tests, not for a loop.
///
/// Any number may run at the same time: an advisory lock lets one work, and the others then find nothing to do.
package struct Migrator: Sendable {
    /// What a run did and met.
    package struct Outcome: Sendable, Equatable {
        /// The names of the steps that this run applied, in order.
        package var applied: [String] = []
        /// Steps that the database has and this program does not know: a newer program was here. Tolerated, so that an older
        /// replica can start again while a new version is rolled out.
        package var unknown: [String] = []

        package init() {}
    }

    /// The names of all applied steps; fails with ``SQLState/undefinedTable`` on an empty database.
    package static let appliedNames = PostgresStatement("applied_migrations", "select name from schema_migrations", .read)

    /// Held while one works: any number will do that nothing else in the database uses.
    private static let advisoryLock: Int64 = 0x706C_6179_6772_6F75

    private let configuration: PostgresConfiguration
    private let migrations: [Migration]

    /// - Parameter migrations: in any order; they are applied in the order of their names.
    package init(configuration: PostgresConfiguration, migrations: [Migration]) {
        self.configuration = configuration
        self.migrations = migrations.sorted { $0.name < $1.name }
    }

    /// Applies what is missing; each step in a transaction of its own.
    package func migrate() throws(MigrationError) -> Outcome {
        for (one, next) in zip(migrations, migrations.dropFirst()) where one.name == next.name {
            throw .duplicate(name: one.name)
        }
        do {
            let connection = try BlockingConnection(configuration)
            let applied = try prepare(connection)
            return try apply(to: connection, applied)
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw .database(error)
        } catch {
            // Both throw nothing else.
            throw .database(.unavailable("\(type(of: error))"))
        }
    }

    /// The names of the steps that a database lacks, given the rows of ``appliedNames``. None: the schema is current.
    package func pending(_ applied: PostgresResult) throws(PostgresError) -> [String] {
        var names: Set<String> = []
        for row in applied.rows { names.insert(try applied.string(row, 0)) }
        return migrations.map(\.name).filter { !names.contains($0) }
    }

    /// Whether a database has every step, given the rows of ``appliedNames``.
    package func isCurrent(_ applied: PostgresResult) throws(PostgresError) -> Bool {
        try pending(applied).isEmpty
    }

    /// Takes the lock, which goes with the connection, and reads the checksums by name.
    private func prepare(_ connection: BlockingConnection) throws(PostgresError) -> [String: String] {
        // Waiting for another migrator may take as long as its work does.
        try connection.run("set statement_timeout = '10min'; set lock_timeout = 0")
        try connection.run("select pg_advisory_lock($1)", [.int(Self.advisoryLock)])
        // A step must not queue for a table lock behind a long query, with all other queries behind it.
        try connection.run("set statement_timeout = '5min'; set lock_timeout = '5s'; set idle_in_transaction_session_timeout = 0")
        try connection.run(
            """
            create table if not exists schema_migrations (
                name text primary key,
                checksum text not null,
                applied_at timestamptz not null default now()
            )
            """)
        let rows = try connection.run("select name, checksum from schema_migrations")
        var applied: [String: String] = [:]
        for row in rows.rows { applied[try rows.string(row, 0)] = try rows.string(row, 1) }
        return applied
    }

    private func apply(to connection: BlockingConnection, _ applied: [String: String]) throws(MigrationError) -> Outcome {
        var outcome = Outcome()
        var checksums: [String: String] = [:]
        for migration in migrations {
            let checksum = try asking { () throws(PostgresError) in try Self.checksum(migration, connection) }
            checksums[migration.name] = checksum
            if let known = applied[migration.name], known != checksum { throw .changed(name: migration.name) }
        }
        for migration in migrations where applied[migration.name] == nil {
            try apply(migration, checksums[migration.name] ?? "", connection)
            outcome.applied.append(migration.name)
        }
        outcome.unknown = applied.keys.filter { checksums[$0] == nil }.sorted()
        return outcome
    }

    private func apply(_ migration: Migration, _ checksum: String, _ connection: BlockingConnection) throws(MigrationError) {
        do {
            try connection.run("begin")
            try connection.run(migration.sql)
            guard connection.isInTransaction else { throw MigrationError.endedTransaction(name: migration.name) }
            try connection.run(
                "insert into schema_migrations (name, checksum) values ($1, $2)", [.text(migration.name), .text(checksum)])
            try connection.run("commit")
        } catch let error as PostgresError {
            throw .failed(name: migration.name, error)
        } catch let error as MigrationError {
            throw error
        } catch {
            throw .failed(name: migration.name, .unavailable("\(type(of: error))"))
        }
    }

    /// SHA-256 in hex, worked out by the server, as `sha256sum` prints it for the file.
    private static func checksum(_ migration: Migration, _ connection: BlockingConnection) throws(PostgresError) -> String {
        try connection.run("select encode(sha256($1), 'hex')", [.bytes(Array(migration.sql.utf8))]).string(0, 0)
    }

    private func asking<Value>(_ body: () throws(PostgresError) -> Value) throws(MigrationError) -> Value {
        do { return try body() } catch { throw .database(error) }
    }
}
