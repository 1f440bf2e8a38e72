import Postgres

/// The SQL of idempotency keys. Every statement names the owner but the one that clears away what is old.
enum IdempotencyStatements {
    /// Claims a key that is new, or whose last attempt ended without an answer or outlived its lease. Writes nothing where
    /// the key is answered, is being answered, or was sent with another body, and for a new key where a short look, at so many rows
    /// as cost little, does not show that the user has room.
    /// Twins that come at the same moment wait for one another on the primary key; ``read`` then tells each who won.
    ///
    /// $1 owner, $2 route, $3 key, $4 SHA-256 of the body, $5 attempt, $6 seconds of the lease, $7 whether the user
    /// is known to have room, $8 the rows looked at, $9 bytes of answers.
    static let claim = PostgresStatement(
        "idempotency_claim",
        """
        insert into idempotency_keys as held (user_id, route, key, body_hash, resource_id, attempt_id, lease_ends_at)
        select id, $2::text, $3::text, $4::bytea, $5::uuid, $5, now() + $6::bigint * interval '1 second'
        from users
        where id = $1::uuid
            and not exists (
                select from idempotency_keys where user_id = $1 and route = $2 and key = $3
                    and (status is not null or lease_ends_at > now() or body_hash <> $4))
            and ($7::boolean or exists (select from idempotency_keys where user_id = $1 and route = $2 and key = $3)
                or (select count(*) < $8::bigint and coalesce(sum(octet_length(body)), 0) < $9::bigint
                    from (select body from idempotency_keys where user_id = $1 limit $8) few))
        on conflict (user_id, route, key) do update
            set attempt_id = excluded.attempt_id, lease_ends_at = excluded.lease_ends_at
            where held.status is null and held.lease_ends_at <= now() and held.body_hash = excluded.body_hash
        """)

    /// What there is of a key, in a snapshot of its own: run behind ``claim`` it sees what a twin has written meanwhile.
    ///
    /// $1 owner, $2 route, $3 key, $4 SHA-256 of the body, $5 attempt.
    static let read = PostgresStatement(
        "idempotency_read",
        """
        select attempt_id = $5::uuid, body_hash = $4::bytea, resource_id, status, fields, body
        from idempotency_keys where user_id = $1::uuid and route = $2::text and key = $3::text
        """,
        .read)

    /// Why a new key was not claimed: whether the user exists, and whether there is no room, with the milliseconds until the
    /// user's oldest key goes. Looks at all of the user's keys.
    ///
    /// $1 owner, $2 keys at most, $3 bytes of answers, $4 the hours a key lives.
    static let room = PostgresStatement(
        "idempotency_room",
        """
        select exists (select from users where id = $1::uuid),
            count(*) >= $2::bigint or coalesce(sum(octet_length(body)), 0) >= $3::bigint,
            (extract(epoch from min(created_at) + $4::bigint * interval '1 hour' - now()) * 1000)::bigint
        from idempotency_keys where user_id = $1
        """,
        .read)

    /// Keeps the answer, where this attempt still has the claim.
    ///
    /// $1 owner, $2 route, $3 key, $4 attempt, $5 status, $6 fields, $7 body.
    static let complete = PostgresStatement(
        "idempotency_complete",
        """
        update idempotency_keys set status = $5::bigint, fields = $6::bytea, body = $7::bytea
        where user_id = $1::uuid and route = $2::text and key = $3::text and attempt_id = $4::uuid and status is null
        """)

    /// Ends the lease: another attempt may begin, under the same body and id.
    ///
    /// $1 owner, $2 route, $3 key, $4 attempt.
    static let release = PostgresStatement(
        "idempotency_release",
        """
        update idempotency_keys set lease_ends_at = now()
        where user_id = $1::uuid and route = $2::text and key = $3::text and attempt_id = $4::uuid and status is null
        """)

    /// Forgets the key, where no attempt before this one may have created anything.
    ///
    /// $1 owner, $2 route, $3 key, $4 attempt.
    static let forget = PostgresStatement(
        "idempotency_forget",
        """
        delete from idempotency_keys
        where user_id = $1::uuid and route = $2::text and key = $3::text and attempt_id = $4::uuid and status is null
            and resource_id = attempt_id
        """)

    /// Removes the oldest keys that have lived their time; how many there were.
    ///
    /// $1 the hours a key lives, $2 how many at most.
    static let purge = PostgresStatement("idempotency_purge", "select purge_idempotency_keys($1, $2)")
}
