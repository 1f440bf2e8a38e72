import PlaygroundCore
import Postgres

/// The SQL of what a user does with their sessions. Every statement names the owner.
enum SessionBookStatements {
    /// Those that have not ended, neither by being revoked nor by time, newest first.
    ///
    /// $1 owner, $2 how many at most, $3 and $4 the cursor's microseconds and id or nulls.
    static let page = PostgresStatement(
        "auth_list_sessions",
        """
        select id, device, host(address), (extract(epoch from created_at) * 1000000)::bigint,
            (extract(epoch from rotated_at) * 1000000)::bigint
        from sessions
        where user_id = $1::uuid and revoked_at is null
            and now() < least(created_at + interval '30 days', rotated_at + interval '7 days')
            and (created_at, id) < (
                coalesce(timestamptz 'epoch' + $3::bigint * interval '1 microsecond', 'infinity'),
                coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        order by created_at desc, id desc limit $2::bigint
        """, .read)

    /// $1 owner, $2 session. Answers what was ended.
    static let end = PostgresStatement(
        "auth_end_session",
        """
        with ended as (
            update sessions set revoked_at = now() where user_id = $1::uuid and id = $2::uuid and revoked_at is null returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// $1 owner, $2 the session that goes on or null. Answers what was ended.
    static let endOthers = PostgresStatement(
        "auth_end_other_sessions",
        """
        with ended as (
            update sessions set revoked_at = now()
            where user_id = $1::uuid and id is distinct from $2::uuid and revoked_at is null
            returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// The same where the user's password hash is this one: behind the statement that has just set it, in one transaction.
    ///
    /// $1 owner, $2 the session that goes on or null, $3 hash. Answers what was ended.
    static let endOthersAfterChange = PostgresStatement(
        "auth_end_sessions_after_change",
        """
        with ended as (
            update sessions set revoked_at = now()
            where user_id = $1::uuid and id is distinct from $2::uuid and revoked_at is null
                and exists (select from users where id = $1 and password_hash = $3)
            returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// The sessions that one of these statements has ended.
    static func ended(_ result: PostgresResult) throws(PostgresError) -> [SessionID] {
        var sessions: [SessionID] = []
        for row in result.rows { sessions.append(SessionID(try result.uuid(row, 0))) }
        return sessions
    }
}
