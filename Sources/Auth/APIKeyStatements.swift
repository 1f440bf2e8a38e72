import Postgres

/// The SQL of API keys.
enum APIKeyStatements {
    /// What a key that is presented may do: owner, hash, scopes with spaces between, whether it has a limit of its own, and the
    /// milliseconds to its end. No row where there is none. $1 key.
    static let find = PostgresStatement(
        "api_key_find", "select owner, hash, array_to_string(allowed, ' '), is_limited, milliseconds_left from find_api_key($1)",
        .read)

    /// $1 keys, $2 how many microseconds ago each was used.
    static let noteUses = PostgresStatement("api_key_note_uses", "select note_key_uses($1, $2)")

    /// The verdict and the moment. $1 owner, $2 id, $3 name, $4 scopes, $5 hash, $6 requests a minute or null, $7 end as text or null,
    /// $8 the event.
    static let create = PostgresStatement(
        "api_key_create",
        """
        select verdict, (extract(epoch from made_at) * 1000000)::bigint
        from create_api_key($1, $2, $3, $4, $5, $6, $7::text::timestamptz, $8::text::jsonb)
        """)

    /// Whether there was one. $1 owner, $2 key, $3 the event.
    static let revoke = PostgresStatement("api_key_revoke", "select revoke_api_key($1, $2, $3::text::jsonb)")

    /// The columns that `APIKey` is read from. $1 owner.
    static let list = PostgresStatement(
        "api_key_list",
        """
        select id, name, array_to_string(scopes, ' '), requests_per_minute, (extract(epoch from created_at) * 1000000)::bigint,
            (extract(epoch from expires_at) * 1000000)::bigint, (extract(epoch from last_used_at) * 1000000)::bigint
        from api_keys where user_id = $1 order by created_at desc, id desc
        """, .read)

    /// The same of one. $1 owner, $2 key.
    static let read = PostgresStatement(
        "api_key_read",
        """
        select id, name, array_to_string(scopes, ' '), requests_per_minute, (extract(epoch from created_at) * 1000000)::bigint,
            (extract(epoch from expires_at) * 1000000)::bigint, (extract(epoch from last_used_at) * 1000000)::bigint
        from api_keys where user_id = $1 and id = $2
        """, .read)
}
