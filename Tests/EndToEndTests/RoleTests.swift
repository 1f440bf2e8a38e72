import Foundation
import Postgres
import TestSupport
import Testing

/// Who owns the tables, who logs in, and as whom the server acts. Roles are a cluster's, so each test has one of its own.
@Suite("The server's role in the database")
struct RoleTests {
    private let environment = Stack.variables(database: "", upstreamPort: 1)

    /// A database, and the variables with both its URLs.
    private func database(of postgres: PostgresServer) throws -> (name: String, variables: [String: String]) {
        let name = try postgres.freshDatabase(owner: PostgresServer.owner)
        let logins = [
            "MIGRATE_DATABASE_URL": postgres.conninfo(database: name, user: PostgresServer.owner),
            "DATABASE_URL": postgres.conninfo(database: name, user: PostgresServer.login),
        ]
        return (name, environment.merging(logins) { $1 })
    }

    /// What a command that must fail says.
    private func failure(_ arguments: [String], _ variables: [String: String]) throws -> String {
        let process = try ChildProcess("APIServer", arguments, environment: variables)
        #expect(try process.waitForOutput() > 0)
        return process.lines.joined(separator: "\n")
    }

    @Test(
        "is assumed by a login that migrating lets do so; a server whose login may not, or whose role passes policies, says why")
    func standing() async throws {
        let postgres = try await PostgresServer.own()
        try await offPool {
            let (name, variables) = try database(of: postgres)
            let maintenance = postgres.conninfo(database: "postgres")
            _ = try Stack.run(["migrate"], variables.filter { $0.key != "DATABASE_URL" })
            #expect(try failure(["serve"], variables).contains("may not act as playground_app"))
            #expect(try Stack.run(["migrate"], variables).last == "\(PostgresServer.login) may act as playground_app")
            #expect(try Stack.run(["migrate"], variables) == ["the schema is current"])

            let process = try ChildProcess("APIServer", ["serve"], environment: variables)
            defer { process.signal(SIGKILL) }
            let replica = try Stack.Replica(process)
            func readiness(_ status: Int) throws -> String {
                let end = ContinuousClock.now + .seconds(10)
                while true {
                    let answer = try replica.client().request("GET", "/readyz")
                    if answer.status == status || ContinuousClock.now > end {
                        #expect(answer.status == status)
                        return String(decoding: answer.body, as: UTF8.self)
                    }
                    usleep(50_000)
                }
            }
            _ = try readiness(200)
            #expect(
                try postgres.run(
                    "select count(*) from pg_stat_activity where usename = '\(PostgresServer.login)' and datname = '\(name)'",
                    in: maintenance) != [["0"]])
            for (flaw, cure, word) in [
                ("superuser", "nosuperuser", "superuser"), ("bypassrls", "nobypassrls", "row-level security"),
            ] {
                try postgres.run("alter role playground_app \(flaw)", in: maintenance)
                #expect(try readiness(503).contains(word))
                #expect(try failure(["serve"], variables).contains(word))
                try postgres.run("alter role playground_app \(cure)", in: maintenance)
                _ = try readiness(200)
            }
            try postgres.run(
                "create table stray (); alter table stray owner to playground_app", in: postgres.conninfo(database: name))
            #expect(try readiness(503).contains("stray"))
            try postgres.run("drop table stray", in: postgres.conninfo(database: name))
            _ = try readiness(200)
            try postgres.run("grant create on schema public to public", in: postgres.conninfo(database: name))
            #expect(try readiness(503).contains("create in the schema public"))
            #expect(try failure(["serve"], variables).contains("create in the schema public"))
            try postgres.run("revoke create on schema public from public", in: postgres.conninfo(database: name))
            _ = try readiness(200)
            // An operator's command acts as the owner, and not as the login without rights.
            #expect(try Stack.run(["plan", "list"], variables).contains { $0.contains("default") })
            #expect(
                try failure(["plan", "list"], variables.filter { $0.key != "MIGRATE_DATABASE_URL" }).contains(
                    "does not own the tables")
            )
            try postgres.remove()
        }
    }

    @Test("is made once by however many databases of a cluster are migrated at one time")
    func race() async throws {
        let postgres = try await PostgresServer.own()
        try await offPool {
            let all = try (0..<6).map { _ in try database(of: postgres).variables }
            let processes = try all.map { try ChildProcess("APIServer", ["migrate"], environment: $0) }
            for process in processes { #expect(try process.waitForOutput() == 0, "\(process.lines)") }
            try postgres.remove()
        }
    }

    @Test("cannot be made by whoever may not, who is told what to do")
    func forbidden() async throws {
        let postgres = try await PostgresServer.own()
        try await offPool {
            let (_, variables) = try database(of: postgres)
            try postgres.run("alter role \(PostgresServer.owner) nocreaterole", in: postgres.conninfo(database: "postgres"))
            #expect(try failure(["migrate"], variables).contains("create role playground_app nologin"))
            try postgres.run("create role playground_app nologin", in: postgres.conninfo(database: "postgres"))
            let text = try failure(["migrate"], variables)
            #expect(text.contains("applied: ") && text.contains("grant playground_app to \(PostgresServer.login)"))
            try postgres.run("grant playground_app to \(PostgresServer.login)", in: postgres.conninfo(database: "postgres"))
            #expect(try Stack.run(["migrate"], variables) == ["the schema is current"])
            try postgres.remove()
        }
    }
}
