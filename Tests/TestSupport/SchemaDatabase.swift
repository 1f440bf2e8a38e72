import Foundation
package import PlaygroundCore
package import Postgres

/// A fresh database with the whole schema, as an installation has it: its tables belong to an owner who is no superuser, and servers
/// log in as somebody who has no rights but to assume the role they act as.
package struct SchemaDatabase: Sendable {
    /// What servers act as.
    package static let role = "playground_app"

    package let server: PostgresServer
    /// For tests that look at everything, or plant what no server would write: row-level security does not hold for it.
    package let superuser: String
    /// Who migrates, and runs the operators' commands.
    package let owner: String
    /// Who the servers log in as.
    package let login: String

    /// - Parameter server: another one than the run's shared one.
    package init(server: PostgresServer? = nil) throws {
        self.server = try server ?? .shared()
        let name = try self.server.copyOfSchema { try Self.migrate($0) }
        superuser = self.server.conninfo(database: name)
        owner = self.server.conninfo(database: name, user: PostgresServer.owner)
        login = self.server.conninfo(database: name, user: PostgresServer.login)
    }

    /// All migrations, in the order of their names.
    package static func migrations() throws -> [Migration] {
        let directory = URL(filePath: #filePath).appending(path: "../../../Migrations").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }.sorted()
        return try files.map { file in
            Migration(
                name: String(file.dropLast(4)), sql: try String(contentsOf: directory.appending(path: file), encoding: .utf8))
        }
    }

    private static func migrate(_ owner: String) throws {
        _ = try Migrator(configuration: PostgresConfiguration(owner), migrations: migrations()).migrate()
    }

    /// As servers connect.
    package func configuration() throws -> PostgresConfiguration {
        var configuration = try PostgresConfiguration(login)
        configuration.role = Self.role
        return configuration
    }

    /// Runs SQL as the superuser, over a connection of its own; the rows of the last statement as texts.
    @discardableResult
    package func run(_ sql: String) throws -> [[String?]] { try server.run(sql, in: superuser) }

    /// The single value that a query gives.
    package func value(_ sql: String) throws -> String? { try run(sql).first?.first ?? nil }

    /// A user who cannot log in.
    package func makeUser() throws -> UserID {
        let user = UserID(randomUUID())
        try run("insert into users (id, email) values ('\(user)', '\(user)@example.com')")
        return user
    }
}

/// An id of now, as the server makes them.
package func randomUUID() -> UUIDBytes {
    let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
    return .v7(milliseconds: milliseconds, random: (.random(in: 0...UInt64.max), .random(in: 0...UInt64.max)))
}
