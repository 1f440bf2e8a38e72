import Postgres

/// The SQL of sessions: idle after 7 days, over after 30, a parent token good for 24 hours, all by the database's clock.
enum SessionStatements {
    /// The channel that revoked sessions' ids are sent on.
    static let channel = "session_revoked"

    /// No row where the user is gone, or has another password than the one that was shown. The user's row is locked: whoever is
    /// changing the password ends this session too, or was first.
    ///
    /// $1 session, $2 user, $3 key id, $4 hash, $5 password hash or null. Answers seconds to its idle end.
    static let insert = PostgresStatement(
        "auth_insert_session",
        """
        insert into sessions (id, user_id, key_id, token_hash)
        select $1, id, $3, $4 from users where id = $2 and ($5::text is null or password_hash = $5) for share
        returning extract(epoch from interval '7 days')::bigint
        """)

    /// Behind one of the two statements that make or rotate a session, in one transaction. $1 session, $2 device, $3 address.
    static let noteOrigin = PostgresStatement("auth_note_origin", "select note_session_origin($1, $2, $3::text::inet)")

    /// Decides about a presented refresh token under the lock of its session's row, so that of any number of concurrent uses over any
    /// number of replicas one rotates and the others are told what it gave. `locked` reads the row as it is once the lock is
    /// held, not as the statement's snapshot has it; the updates act on the verdict alone.
    ///
    /// - rotate: the newest token; its successor takes its place.
    /// - replay: the newest one's parent, while the newest was not used: its answer was lost, and is given again.
    /// - reuse: an older one, or the parent too late. Somebody has a copy: the session ends for both.
    /// - unknown: none of this session's, or one that cannot be vouched for any more.
    ///
    /// $1 session, $2 counter, $3 hash, $4 whether the tag was right, $5 successor's hash, $6 successor's key id.
    static let refresh = PostgresStatement(
        "auth_refresh",
        """
        with locked as (
            select id, user_id, counter, key_id, token_hash, parent_hash, revoked_at, rotated_at,
                   created_at + interval '30 days' as ends_at
            from sessions where id = $1 for update
        ), judged as materialized (
            select *, case
                when revoked_at is not null then 'revoked'
                when now() >= least(ends_at, rotated_at + interval '7 days') then 'expired'
                when counter = $2 and token_hash = $3 then 'rotate'
                when counter = $2 + 1 and parent_hash = $3 and now() < rotated_at + interval '24 hours' then 'replay'
                when counter > $2 and ($4 or parent_hash = $3) then 'reuse'
                else 'unknown'
            end as verdict
            from locked
        ), rotated as (
            update sessions s set counter = s.counter + 1, parent_hash = s.token_hash, token_hash = $5, key_id = $6,
                                  rotated_at = now()
            from judged j where s.id = j.id and j.verdict = 'rotate'
            returning s.key_id, s.rotated_at
        ), ended as (
            update sessions s set revoked_at = now() from judged j where s.id = j.id and j.verdict = 'reuse'
            returning s.id
        )
        select u.id, u.email, u.plan, (extract(epoch from u.created_at) * 1000000)::bigint, j.verdict,
               coalesce(r.key_id, j.key_id),
               extract(epoch from least(j.ends_at, coalesce(r.rotated_at, j.rotated_at) + interval '7 days') - now())::bigint,
               (select pg_notify('session_revoked', id::text) from ended) is null
        from judged j join users u on u.id = j.user_id left join rotated r on true
        """)

    /// Ends a session that a verified access token names. Answers its id if it was not ended before. $1 session.
    static let revoke = PostgresStatement(
        "auth_revoke_session",
        """
        with ended as (
            update sessions set revoked_at = now() where id = $1 and revoked_at is null returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// The same for a refresh token of any generation, if it is this session's. $1 session, $2 hash, $3 whether the tag was right.
    static let revokeByRefreshToken = PostgresStatement(
        "auth_revoke_session_by_token",
        """
        with ended as (
            update sessions set revoked_at = now()
            where id = $1 and revoked_at is null and ($3 or token_hash = $2 or parent_hash = $2)
            returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// What was revoked lately, with its age in seconds; latest first. $1 how far back, in seconds; $2 how many at most.
    static let recentlyRevoked = PostgresStatement(
        "auth_recently_revoked",
        """
        select id, greatest(0, extract(epoch from now() - revoked_at))::bigint from sessions
        where revoked_at > now() - make_interval(secs => $1::bigint) order by revoked_at desc limit $2
        """, .read)

    /// Removes rows that nothing can refer to any more, $1 at most.
    static let purge = PostgresStatement(
        "auth_purge_sessions",
        """
        delete from sessions where id in (
            select id from sessions where created_at < now() - interval '31 days' order by created_at limit $1)
        """)
}
