import PlaygroundCore
import Postgres
import TestSupport
import Testing

/// What the schema promises of every table and function, those that are yet to come as well.
@Suite("Row-level security, by the catalogue")
struct RowSecurityTests {
    /// Tables without anything of or about a user. Whatever is not among them has to be closed.
    private static let open: Set = ["plans", "prices", "instance", "processes", "schema_migrations"]
    private let database: SchemaDatabase

    init() throws { database = try SchemaDatabase() }

    @Test("is forced on every table of users' rows, on each part of the bill too, and lets in the owner and the tenant alone")
    func tables() throws {
        let rows = try database.run(
            """
            select c.relname, c.relrowsecurity and c.relforcerowsecurity, c.relowner::regrole::text,
                exists (
                    select from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
                        and a.attname in ('user_id', 'owner_id', 'scope', 'account'))
                or exists (
                    select from pg_constraint f where f.conrelid = c.oid and f.confrelid = 'users'::regclass),
                (select string_agg(
                    concat_ws(' ', polname, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid),
                        pg_get_expr(polwithcheck, polrelid)), e'\\n' order by polname)
                    from pg_policy where polrelid = c.oid)
            from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
            """)
        #expect(rows.count > 15)
        let owner = "owner * t {\(PostgresServer.owner)} true"
        let tenant = #/tenant \* t \{playground_app\} \([a-z_]+ = \( SELECT current_tenant\(\) AS current_tenant\)\)/#
        for row in rows {
            let name = row[0] ?? ""
            #expect(row[2] == PostgresServer.owner, "\(name)")
            if Self.open.contains(name) {
                #expect(row[3] == "f", "\(name) has users' rows")
            } else {
                #expect(row[1] == "t", "\(name) is open: see guard_rows")
                let policies = (row[4] ?? "").split(separator: "\n").map(String.init)
                #expect(policies.first == owner, "\(name)")
                #expect(policies.count <= 2, "\(policies)")
                #expect(policies.dropFirst().allSatisfy { $0.wholeMatch(of: tenant) != nil }, "\(policies)")
            }
        }
    }

    @Test("holds for whoever reads a view")
    func views() throws {
        let rows = try database.run(
            """
            select relname from pg_class where relkind in ('v', 'm') and relnamespace = 'public'::regnamespace
                and not coalesce(reloptions @> '{security_invoker=true}', false)
            """)
        #expect(rows.isEmpty)
    }

    @Test("binds the servers' role: it owns nothing, cannot log in, passes nothing by, and is a member of nobody")
    func role() throws {
        let rows = try database.run(
            """
            select rolsuper or rolbypassrls or rolcanlogin or rolcreaterole or rolcreatedb or rolreplication,
                exists (select from pg_shdepend where refobjid = r.oid and deptype = 'o'),
                exists (select from pg_auth_members where member = r.oid)
            from pg_roles r where rolname = 'playground_app'
            """)
        #expect(rows == [["f", "f", "f"]])
    }

    @Test("is not gone round by functions: those that act as the owner name their schemas, and only the servers' role has any")
    func functions() throws {
        let definers = try database.run(
            """
            select proname, coalesce((select min(s) from unnest(proconfig) as s where s like 'search_path=%'), 'none')
            from pg_proc where prosecdef and pronamespace = 'public'::regnamespace
            """)
        #expect(definers.count > 10)
        for row in definers { #expect(row[1] == "search_path=public, pg_temp", "\(row[0] ?? ""): see guard_task") }
        let told = try database.run(
            """
            select p.proname, coalesce(g.grantee::regrole::text, 'public')
            from pg_proc p left join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as g on true
            where p.pronamespace = 'public'::regnamespace and g.grantee not in (p.proowner, to_regrole('playground_app'))
            """)
        #expect(told.isEmpty)
    }

    @Test("lets nobody but the owner put a trigger's function behind a table of their own")
    func triggers() throws {
        let told = try database.run(
            """
            select p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'public'::regnamespace and p.prorettype = 'trigger'::regtype
                and has_function_privilege('playground_app', p.oid, 'execute')
            """)
        #expect(told.isEmpty, "\(told)")
    }

    @Test("leaves nothing to everybody, and to the servers' role no part of a table, no TRUNCATE and no TRIGGER")
    func grants() throws {
        let rows = try database.run(
            """
            select c.relname, g.grantee, g.privilege_type, c.relispartition
            from pg_class c cross join lateral aclexplode(c.relacl) as g
            where c.relnamespace = 'public'::regnamespace and g.grantee <> c.relowner
                and (g.grantee <> to_regrole('playground_app') or c.relispartition
                    or g.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))
            """)
        #expect(rows.isEmpty, "\(rows)")
        #expect(try database.value("select has_schema_privilege('playground_app', 'public', 'create')") == "f")
    }

    @Test("closes the months of the bill that are made later")
    func months() throws {
        let server = try BlockingConnection(database.configuration())
        try server.run("select maintain_usage(null, 14)")
        let rows = try database.run(
            """
            select c.relrowsecurity and c.relforcerowsecurity, has_table_privilege('playground_app', c.oid, 'select')
            from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'usage'::regclass
            """)
        #expect(rows.count == 16)
        #expect(rows.allSatisfy { $0 == ["t", "f"] })
    }
}
