import Postgres

/// The role that servers act as: it owns nothing, and the rows of users are there for it only in a transaction that names the user.
/// The migrations make it; its login has the right to assume it and needs no other.
enum ApplicationRole {
    static let name = "playground_app"

    /// Whether row-level security holds for whoever asks, and on which table it would not.
    static let standing = PostgresStatement(
        "role_standing",
        """
        select r.rolname, r.rolsuper, r.rolbypassrls, (
            select min(c.relname) from pg_class c
            where c.relnamespace = 'public'::regnamespace and pg_has_role(r.oid, c.relowner, 'usage')),
            has_schema_privilege(r.oid, 'public', 'create')
        from pg_roles r where r.rolname = current_user
        """, .read)

    /// Why nobody may serve by a role of this standing; nil where it is as it has to be.
    static func objection(_ standing: PostgresResult) throws(PostgresError) -> String? {
        let role = try standing.string(0, 0)
        let flaw: String
        if role != name {
            flaw = "is not \(name): take `role` out of the options of DATABASE_URL"
        } else if try standing.bool(0, 1) {
            flaw = "is a superuser: run `alter role \(role) nosuperuser`"
        } else if try standing.bool(0, 2) {
            flaw = "passes row-level security by: run `alter role \(role) nobypassrls`"
        } else if let table = try standing.stringIfPresent(0, 3) {
            flaw = "owns \(table), or may act as its owner: give it to the login that migrates"
        } else if try standing.bool(0, 4) {
            // A function of its own that fits better than the one that is meant would run with the owner's rights.
            flaw = "may create in the schema public: run `revoke create on schema public from public, \(role)`"
        } else {
            return nil
        }
        return "the role \(role) \(flaw)"
    }

    /// Why a server must not start; nil where nothing is wrong, or where that cannot be told yet because there is no database or
    /// no such role. Blocks.
    static func objection(to database: PostgresConfiguration) throws -> String? {
        var plain = database
        plain.role = nil
        guard let connection = try? BlockingConnection(plain) else { return nil }
        let exists = try connection.run("select 1 from pg_roles where rolname = '\(name)'")
        if exists.isEmpty { return nil }
        guard (try? connection.run("set role \(name)")) != nil else {
            let login = try connection.run("select session_user::text").string(0, 0)
            return
                "\(login), the login of DATABASE_URL, may not act as \(name): run `APIServer migrate` with this DATABASE_URL, or "
                + "`grant \(name) to \(login)`"
        }
        return try objection(connection.run(standing.sql))
    }

    /// Lets a login act as the role, if it may not yet. Blocks.
    /// - Parameters:
    ///   - server: as the login connects.
    ///   - owner: who may grant the role.
    /// - Returns: the login, where it was given the right; nil where it had it.
    static func admit(_ server: PostgresConfiguration, by owner: PostgresConfiguration) throws -> String? {
        var plain = server
        plain.role = nil
        let connection = try BlockingConnection(plain)
        if (try? connection.run("set role \(name)")) != nil { return nil }
        let login = try connection.run("select session_user::text").string(0, 0)
        let granting = try BlockingConnection(owner)
        let grant = try granting.run("select format('grant \(name) to %I', $1::text)", [.text(login)]).string(0, 0)
        do {
            try granting.run(grant)
        } catch {
            // Somebody else may have been faster.
            guard (try? connection.run("set role \(name)")) != nil else {
                throw ConfigurationError(
                    complaints: [
                        "\(login), the login of DATABASE_URL, may not act as \(name), and \(error): run `\(grant)` as somebody who may"
                    ])
            }
        }
        return login
    }
}
