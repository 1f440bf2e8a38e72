import Postgres

/// The SQL of accounts.
enum AccountStatements {
    /// The columns every statement answers an account with, in the order `User` is read from.
    ///
    /// Asked before it is known who asks. $1 email.
    static let credentials = PostgresStatement(
        "auth_credentials", "select id, email, plan, created_at, password_hash from login_credentials($1)", .read)

    /// No row where the address is taken. $1 id, $2 email, $3 password hash.
    static let insert = PostgresStatement(
        "auth_insert_user",
        """
        insert into users (id, email, password_hash) values ($1, $2, $3) on conflict on constraint users_email_key do nothing
        returning id, email, plan, (extract(epoch from created_at) * 1000000)::bigint
        """)

    /// Users that cannot log in; for operators alone. $1 ids.
    static let insertLoadUsers = PostgresStatement(
        "auth_insert_load_users",
        "insert into users (id, email) select id, 'load-' || id || '@load.invalid' from unnest($1::uuid[]) as id")

    /// Unless it was changed meanwhile. $1 user, $2 new hash, $3 old hash.
    static let rehash = PostgresStatement(
        "auth_rehash", "update users set password_hash = $2 where id = $1 and password_hash = $3")

    /// Whether the address was confirmed comes behind. No row where the user is gone, or the session is gone or revoked. $1 user, $2 session
    /// or null.
    static let current = PostgresStatement(
        "auth_current_user",
        """
        select id, email, plan, (extract(epoch from created_at) * 1000000)::bigint, email_verified_at is not null from users
        where id = $1 and ($2::uuid is null
            or exists (select from sessions where id = $2 and user_id = $1 and revoked_at is null))
        """, .read)
}
