import PlaygroundCore
import Postgres
import TestSupport
import Testing

/// What servers see and change of users' rows, whatever their statements forget to name.
@Suite("A tenant's rows")
struct TenantTests {
    private let database: SchemaDatabase
    private let ann: UserID
    private let bob: UserID

    init() throws {
        database = try SchemaDatabase()
        ann = try database.makeUser()
        bob = try database.makeUser()
        for user in [ann, bob] {
            try database.run(
                """
                insert into sessions (id, user_id, key_id, token_hash)
                    values (gen_random_uuid(), '\(user)', 'k', decode(repeat('00', 32), 'hex'));
                insert into presets (owner_id, id, name, prompt, params) values ('\(user)', gen_random_uuid(), 'n', 'p', '{}');
                insert into reservations (completion_id, user_id, reserved_tokens, model)
                    values (gen_random_uuid(), '\(user)', 1, 'm');
                insert into usage (completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                    select gen_random_uuid(), '\(user)', 'm', 1, 1, 'exact', 'done', at
                    from unnest(array[now(), now() + interval '1 month', now() + interval '2 months', '1999-01-01']) as at;
                insert into idempotency_keys (user_id, route, key, body_hash, resource_id, attempt_id, lease_ends_at)
                    values ('\(user)', 'r', 'k', decode(repeat('00', 32), 'hex'), gen_random_uuid(), gen_random_uuid(), now());
                insert into api_keys (id, user_id, name, scopes, token_hash)
                    values (gen_random_uuid(), '\(user)', 'n', '{complete}', sha256('\(user)'));
                insert into identities (id, user_id, issuer, subject) values (gen_random_uuid(), '\(user)', 'i', '\(user)');
                insert into voided_attempts (attempt) values (gen_random_uuid());
                insert into login_networks (account, network, failures, tried_at, expires_at)
                    values ('\(user)', 'n', 0, now(), now());
                insert into attempt_windows (scope, subject, instants, expires_at) values ('s', '\(user)', '{}', now());
                """)
        }
    }

    /// The tables that are closed, and the column of each that holds the user.
    private func tables() throws -> [(name: String, column: String?)] {
        try database.run(
            """
            select c.relname, substring(pg_get_expr(p.polqual, p.polrelid) from '^.([a-z_]+) = ')
            from pg_class c left join pg_policy p on p.polrelid = c.oid and p.polname = 'tenant'
            where c.relkind in ('r', 'p') and c.relrowsecurity and c.relnamespace = 'public'::regnamespace
            """
        ).map { ($0[0] ?? "", $0[1]) }
    }

    /// Rows that a statement gives or changes in a transaction of its own; nil where it is refused for want of rights.
    private func count(_ sql: String, as tenant: UserID?, _ connection: BlockingConnection) throws(PostgresError) -> Int? {
        try connection.run("begin")
        if let tenant { try connection.run("select set_config('playground.tenant', '\(tenant)', true)") }
        var count: Int?
        do {
            count = Int(try connection.run(sql).int(0, 0))
        } catch {
            guard error.state == SQLState(rawValue: "42501") else { throw error }
        }
        try connection.run("rollback")
        return count
    }

    /// The columns that the servers' role may do this to, as a list.
    private func columns(of table: String, for privilege: String) throws -> String? {
        try database.value(
            """
            select string_agg(quote_ident(attname), ', ') from pg_attribute
            where attrelid = '\(table)'::regclass and attnum > 0 and not attisdropped
                and has_column_privilege('playground_app', attrelid, attnum, '\(privilege)')
            """)
    }

    @Test("are all that there is within a transaction that names the tenant, and nothing is there without one")
    func reading() throws {
        let server = try BlockingConnection(database.configuration())
        for (table, column) in try tables() {
            let all = "select count(*) from \(table)"
            for nobody in [nil, UserID(randomUUID())] {
                let seen = try count(all, as: nobody, server)
                #expect(seen == nil || seen == 0, "\(table)")
            }
            guard let column, let seen = try count(all, as: ann, server) else { continue }
            let own = try database.value("\(all) where \(column) = '\(ann)'")
            #expect("\(seen)" == own && seen > 0, "\(table)")
        }
        #expect(try server.run("select from user_limits").isEmpty)
    }

    @Test("are changed by nobody else: not without a tenant, not by another one, and none is written for somebody else")
    func writing() throws {
        let server = try BlockingConnection(database.configuration())
        for (table, column) in try tables() {
            for tenant in [nil, UserID(randomUUID()), ann] {
                let others = tenant == ann ? (column.map { " where \($0) <> '\(ann)'" } ?? "") : ""
                if let written = try columns(of: table, for: "update")?.split(separator: ",").first {
                    let change = "update \(table) set \(written) = \(written)\(others) returning 1"
                    let changed = try count("with c as (\(change)) select count(*) from c", as: tenant, server)
                    #expect(changed == nil || changed == 0, "\(table)")
                }
                let removal = "with c as (delete from \(table)\(others) returning 1) select count(*) from c"
                let removed = try count(removal, as: tenant, server)
                #expect(removed == nil || removed == 0, "\(table)")
                guard let inserted = try columns(of: table, for: "insert"), let column,
                    let row = try database.value("select to_json(t) from \(table) t where \(column) = '\(bob)' limit 1")
                else { continue }
                let copy = "select \(inserted) from json_populate_record(null::\(table), $json$\(row)$json$)"
                let planted = "with c as (insert into \(table) (\(inserted)) \(copy) returning 1) select count(*) from c"
                let added = try count(planted, as: tenant, server)
                #expect(added == nil, "\(table)")
            }
        }
    }

    @Test("are found by their keys, and the tenant is asked for once a statement")
    func plans() throws {
        try database.run(
            """
            insert into presets (owner_id, id, name, prompt, params)
                select '\(bob)', gen_random_uuid(), 'n', 'p', '{}' from generate_series(1, 3000);
            analyze presets
            """)
        let server = try BlockingConnection(database.configuration())
        try server.run("prepare one (uuid, uuid) as select name from presets where owner_id = $1 and id = $2")
        let plan = try server.run("explain execute one ('\(ann)', '\(ann)')")
        let text = try plan.rows.map { try plan.string($0, 0) }.joined(separator: "\n")
        #expect(text.contains("Index Scan using presets_pkey"), "\(text)")
        #expect(text.contains("One-Time Filter"), "\(text)")
    }
}
