import Postgres

/// The SQL of a user's export: each row is an element as JSON, and where the page after it begins.
enum AccountExportStatements {
    struct List {
        let statement: PostgresStatement
        /// Before the first element.
        let beginning: String
        /// Elements of a page: together a few megabytes at most.
        let limit: Int
    }

    static func list(_ section: AccountExport.Section) -> List {
        switch section {
        case .sessions: List(statement: sessions, beginning: first, limit: 500)
        case .presets: List(statement: presets, beginning: first, limit: 8)
        case .usage: List(statement: usage, beginning: "infinity|ffffffff-ffff-ffff-ffff-ffffffffffff", limit: 1_000)
        }
    }

    private static let first = "00000000-0000-0000-0000-000000000000"

    /// $1 user.
    static let account = PostgresStatement(
        "export_account",
        """
        select json_strip_nulls(json_build_object(
            'id', id, 'email', email, 'email_verified', email_verified_at is not null, 'plan', plan,
            'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text
        from users where id = $1
        """, .read)

    /// $1 user, $2 the session before the page, $3 rows.
    private static let sessions = PostgresStatement(
        "export_sessions",
        """
        select json_strip_nulls(json_build_object(
            'id', id,
            'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'last_used_at', to_char(rotated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'ended_at', to_char(revoked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'device', device, 'address', host(address)))::text, id::text
        from sessions where user_id = $1 and id > $2::uuid order by id limit $3
        """, .read)

    /// $1 user, $2 the preset before the page, $3 rows.
    private static let presets = PostgresStatement(
        "export_presets",
        """
        select json_build_object(
            'id', id, 'name', name, 'prompt', prompt, 'params', params, 'version', version,
            'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'updated_at', to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text, id::text
        from presets where owner_id = $1 and id > $2::uuid order by id limit $3
        """, .read)

    /// The bills, latest first. $1 user, $2 moment and completion of the bill before the page, $3 rows.
    private static let usage = PostgresStatement(
        "export_usage",
        """
        select json_strip_nulls(json_build_object(
            'completion_id', completion_id, 'model', model, 'preset_id', preset_id, 'prompt_tokens', prompt_tokens,
            'completion_tokens', completion_tokens, 'cached_tokens', cached_tokens, 'reasoning_tokens', reasoning_tokens,
            'source', source, 'outcome', outcome, 'finish_reason', finish_reason, 'max_tokens_applied', max_tokens_applied,
            'cost', trim_scale(cost)::text,
            'started_at', to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'finished_at', to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text,
            started_at::text || '|' || completion_id::text
        from usage
        where user_id = $1
            and (started_at, completion_id) < (split_part($2::text, '|', 1)::timestamptz, split_part($2::text, '|', 2)::uuid)
        order by started_at desc, completion_id desc limit $3
        """, .read)
}
