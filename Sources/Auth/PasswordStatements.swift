import Postgres

/// The SQL of changing a password. Every statement names the owner.
enum PasswordStatements {
    /// No row where the user is gone, or the session is gone or revoked. $1 user, $2 session or null.
    static let credentials = PostgresStatement(
        "auth_own_credentials",
        """
        select email, password_hash from users
        where id = $1::uuid and ($2::uuid is null
            or exists (select from sessions where id = $2 and user_id = $1 and revoked_at is null))
        """, .read)

    /// A row if it was done. $1 user, $2 new hash, $3 old hash.
    static let change = PostgresStatement(
        "auth_change_password",
        "update users set password_hash = $2 where id = $1::uuid and password_hash = $3 returning id")
}
