import Postgres

/// The SQL of what operators do to accounts; they act as the owner of the tables. $1 and $2 say who it is, by id or by e-mail address.
enum UserStatements {
    /// One row, its id, or none.
    static let disable = PostgresStatement(
        "users_disable",
        "update users set disabled_at = coalesce(disabled_at, now()) where id = $1::uuid or email = $2 returning id")

    /// A statement of its own behind the other: it sees a log-in that was under way when the account was disabled.
    static let endSessions = PostgresStatement(
        "users_end_sessions", "select end_sessions(id, null) from users where id = $1::uuid or email = $2")

    /// One row, its id, or none.
    static let enable = PostgresStatement(
        "users_enable", "update users set disabled_at = null where id = $1::uuid or email = $2 returning id")

    /// Id, e-mail address, whether it is disabled.
    static let find = PostgresStatement(
        "users_find", "select id, email, disabled_at is not null from users where id = $1::uuid or email = $2", .read)

    /// No row where the address is taken. $1 id, $2 e-mail address.
    static let invite = PostgresStatement(
        "users_invite",
        "insert into users (id, email) values ($1, $2) on conflict on constraint users_email_key do nothing returning id")
}
