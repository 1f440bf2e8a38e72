import ArgumentParser
import Postgres

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to date, then exit.",
        discussion: "Needs DATABASE_URL. Safe to run from several replicas at once; each migration is one transaction.")

    func run() throws {
        let migrator = Migrator(configuration: try Configuration.databaseOnly(), migrations: SchemaMigrations.all)
        let outcome = try migrator.migrate()
        StandardOutput.line(
            outcome.applied.isEmpty ? "the schema is current" : "applied: \(outcome.applied.joined(separator: ", "))")
        if !outcome.unknown.isEmpty {
            StandardOutput.line("the database is newer than this program: \(outcome.unknown.joined(separator: ", "))")
        }
    }
}
