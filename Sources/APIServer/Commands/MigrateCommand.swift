import ArgumentParser
import Postgres

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to date, then exit.",
        discussion: """
            Needs DATABASE_URL, MIGRATE_DATABASE_URL or both. Who logs in by MIGRATE_DATABASE_URL, or by DATABASE_URL where that is all \
            there is, owns the tables. It has to own the database or may create in its schema `public`, and has the attribute \
            CREATEROLE where no role `\(ApplicationRole.name)` exists yet. The login of DATABASE_URL is given the right to act as that \
            role, which `serve` does. Safe to run from several replicas at once; each migration is one transaction.
            """)

    func run() throws {
        let owner = try Configuration.ownersDatabase()
        let server = try Configuration.serversDatabase()
        let outcome = try Migrator(configuration: owner, migrations: SchemaMigrations.all).migrate()
        StandardOutput.line(
            outcome.applied.isEmpty ? "the schema is current" : "applied: \(outcome.applied.joined(separator: ", "))")
        if !outcome.unknown.isEmpty {
            StandardOutput.line("the database is newer than this program: \(outcome.unknown.joined(separator: ", "))")
        }
        if let server, let login = try ApplicationRole.admit(server, by: owner) {
            StandardOutput.line("\(login) may act as \(ApplicationRole.name)")
        }
    }
}
