import Postgres

/// The SQL of changing a password. Every statement names the owner.
enum PasswordStatements {
    /// Address, hash, and whether the session began within the last ten minutes. No row where the user is gone, or the session is gone or
    /// revoked. $1 user, $2 session or null.
    static let credentials = PostgresStatement(
        "auth_own_credentials",
        """
        select u.email, u.password_hash, coalesce(s.created_at > now() - interval '10 minutes', false)
        from users u left join sessions s on s.id = $2::uuid and s.user_id = u.id and s.revoked_at is null
        where u.id = $1::uuid and ($2 is null or s.id is not null)
        """, .read)

    /// A row if it was done. $1 user, $2 new hash, $3 old hash.
    static let change = PostgresStatement(
        "auth_change_password",
        "update users set password_hash = $2 where id = $1::uuid and password_hash = $3 returning id")

    /// Withdraws what was asked for by mail under the old password. Behind `change`, in one transaction. $1 user, $2 new hash.
    static let voidLinks = PostgresStatement(
        "auth_void_links", "select void_links(id) from users where id = $1::uuid and password_hash = $2")
}
