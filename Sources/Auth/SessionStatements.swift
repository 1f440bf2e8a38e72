import Postgres

/// The SQL of sessions: idle after 7 days, over after 30, a parent token good for 24 hours, all by the database's clock.
enum SessionStatements {
    /// The channel that revoked sessions' ids are sent on.
    static let channel = "session_revoked"

    /// No row where the user is gone or disabled, or has another password than the one that was shown. The user's row is locked: whoever is
    /// changing the password ends this session too, or was first.
    ///
    /// $1 session, $2 user, $3 key id, $4 hash, $5 password hash or null. Answers seconds to its idle end.
    static let insert = PostgresStatement(
        "auth_insert_session",
        """
        insert into sessions (id, user_id, key_id, token_hash)
        select $1, id, $3, $4 from users
        where id = $2 and ($5::text is null or password_hash = $5) and disabled_at is null for share
        returning extract(epoch from interval '7 days')::bigint
        """)

    /// Behind one of the two statements that make or rotate a session, in one transaction. $1 session, $2 device, $3 address.
    static let noteOrigin = PostgresStatement("auth_note_origin", "select note_session_origin($1, $2, $3::text::inet)")

    /// Decides about a presented refresh token, whoever's it is: the account's columns, the verdict (rotate, replay, reuse, revoked,
    /// expired, unknown), the key that the newest token derives from, seconds to the session's end. No row where there is no such session.
    ///
    /// $1 session, $2 counter, $3 hash, $4 whether the tag was right, $5 successor's hash, $6 successor's key id.
    static let refresh = PostgresStatement(
        "auth_refresh",
        """
        select id, email, plan, created_at, verdict, key_id, ends_in from refresh_session($1, $2, $3, $4, $5, $6)
        """)

    /// Ends a session that a verified access token names. Answers its id if it was not ended before. $1 session, $2 user.
    static let revoke = PostgresStatement(
        "auth_revoke_session",
        """
        with ended as (
            update sessions set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null returning id
        )
        select id, pg_notify('session_revoked', id::text) is null from ended
        """)

    /// The same for a refresh token of any generation, if it is this session's. $1 session, $2 hash, $3 whether the tag was right.
    static let revokeByRefreshToken = PostgresStatement(
        "auth_revoke_session_by_token", "select end_session_by_token($1, $2, $3)")

    /// What was revoked lately, with its age in seconds; latest first. $1 how far back, in seconds; $2 how many at most.
    static let recentlyRevoked = PostgresStatement(
        "auth_recently_revoked", "select session, age from recently_revoked($1, $2)", .read)

    /// Removes rows that nothing can refer to any more, $1 at most; how many there were.
    static let purge = PostgresStatement("auth_purge_sessions", "select purge_sessions($1)")
}
