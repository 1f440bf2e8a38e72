import Postgres
import TestSupport
import Testing

@Suite("A role of less rights than the login's")
struct RoleTests {
    private static let names = PostgresStatement("names", "select current_user::text, session_user::text", .read)

    @Test("every connection assumes it before its first statement, the one that replaces a lost one too")
    func assumed() async throws {
        let schema = try SchemaDatabase()
        try await withDatabase(schema.login, { $0.role = SchemaDatabase.role }) { database in
            for _ in 0..<2 {
                let result = try await database.execute(Self.names)
                #expect(try result.string(0, 0) == SchemaDatabase.role)
                #expect(try result.string(0, 1) == PostgresServer.login)
                let backend = try await database.backend()
                try schema.run("select pg_terminate_backend(\(backend))")
                #expect(try await database.wait(available: false))
                #expect(try await database.wait(available: true))
            }
        }
    }

    @Test("who may not assume it gets no connection")
    func refused() throws {
        let schema = try SchemaDatabase()
        var configuration = try PostgresConfiguration(schema.login)
        configuration.role = PostgresServer.owner
        #expect(throws: PostgresError.self) { try BlockingConnection(configuration) }
    }

    @Test("what the schema is made by, and what servers log in as, are no superusers and pass no policy by")
    func ordinary() throws {
        let schema = try SchemaDatabase()
        let rows = try schema.run(
            """
            select rolname from pg_roles
            where rolname in ('\(PostgresServer.owner)', '\(PostgresServer.login)', '\(SchemaDatabase.role)')
                and not rolsuper and not rolbypassrls and not rolreplication
            """)
        #expect(rows.count == 3)
    }
}
