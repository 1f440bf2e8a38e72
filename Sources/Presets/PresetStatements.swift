import Postgres

/// The SQL of presets. Every statement names the owner: somebody else's preset is a missing one.
enum PresetStatements {
    /// Saves a new preset, if its id is free and the owner has room. The owner's row counts, so the limit holds under any
    /// concurrency. A rival that takes the same id at the same moment violates the primary key, which undoes the count.
    ///
    /// $1 owner, $2 id, $3 name, $4 prompt, $5 params, $6 presets at most.
    static let create = PostgresStatement(
        "presets_create",
        """
        with counted as (
            update users set preset_count = preset_count + 1
            where id = $1::uuid and preset_count < $6::bigint
                and not exists (select from presets where owner_id = $1 and id = $2::uuid)
            returning id
        ), made as (
            insert into presets (owner_id, id, name, prompt, params)
            select counted.id, $2, $3::text, $4::text, $5::json from counted
            returning version, created_at, updated_at
        )
        select made.version, (extract(epoch from made.created_at) * 1000000)::bigint,
            (extract(epoch from made.updated_at) * 1000000)::bigint,
            exists (select from presets where owner_id = $1 and id = $2), exists (select from users where id = $1)
        from (select) one left join made on true
        """)

    /// $1 owner, $2 id.
    static let get = PostgresStatement(
        "presets_get",
        """
        select id, name, prompt, params, version, (extract(epoch from created_at) * 1000000)::bigint,
            (extract(epoch from updated_at) * 1000000)::bigint
        from presets where owner_id = $1::uuid and id = $2::uuid
        """,
        .read)

    /// The presets after a cursor, newest first: as many as asked for and one more in the count, which tells whether a further
    /// page follows; but none behind so many bytes that the page is full.
    ///
    /// $1 owner, $2 limit, $3 and $4 the cursor's microseconds and id or nulls, $5 bytes.
    static let page = PostgresStatement(
        "presets_page",
        """
        with candidates as (
            select *, sum(octet_length(name) + octet_length(prompt) + octet_length(params::text)) over (
                order by created_at desc, id desc rows between unbounded preceding and 1 preceding) as bytes_before
            from presets
            where owner_id = $1::uuid and (created_at, id) < (
                coalesce(timestamptz 'epoch' + $3::bigint * interval '1 microsecond', 'infinity'),
                coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            order by created_at desc, id desc limit $2::bigint + 1
        )
        select id, name, prompt, params, version, (extract(epoch from created_at) * 1000000)::bigint,
            (extract(epoch from updated_at) * 1000000)::bigint, (select count(*) from candidates)
        from candidates where coalesce(bytes_before, 0) < $5::bigint
        order by created_at desc, id desc limit $2
        """,
        .read)

    /// $1 owner, $2 id, $3 the version seen, $4 name, $5 prompt, $6 params.
    static let replace = PostgresStatement(
        "presets_replace",
        """
        with changed as (
            update presets set name = $4::text, prompt = $5::text, params = $6::json, version = version + 1,
                updated_at = greatest(updated_at, now())
            where owner_id = $1::uuid and id = $2::uuid and version = $3::bigint
            returning version, created_at, updated_at
        )
        select changed.version, (extract(epoch from changed.created_at) * 1000000)::bigint,
            (extract(epoch from changed.updated_at) * 1000000)::bigint,
            exists (select from presets where owner_id = $1 and id = $2)
        from (select) one left join changed on true
        """)

    /// $1 owner, $2 id, $3 the version seen or null for any.
    static let delete = PostgresStatement(
        "presets_delete",
        """
        with gone as (
            delete from presets where owner_id = $1::uuid and id = $2::uuid and ($3::bigint is null or version = $3)
            returning owner_id
        ), counted as (
            update users set preset_count = preset_count - 1 from gone where users.id = gone.owner_id
        )
        select exists (select from gone), exists (select from presets where owner_id = $1 and id = $2)
        """)
}
