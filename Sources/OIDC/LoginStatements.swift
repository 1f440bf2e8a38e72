import Postgres

/// The SQL of log-ins through providers. Most is a function of the database each: it comes before a user is known.
enum LoginStatements {
    /// False where too many are under way. $1 state's hash, $2 browser's, $3 provider, $4 redirect address, $5 frontend's state,
    /// $6 its challenge, $7 network, $8 how many.
    static let begin = PostgresStatement("oidc_begin", "select begin_login($1, $2, $3, $4, $5, $6, $7, $8)")

    /// $1 state's hash, $2 browser's, $3 provider. Answers redirect address, frontend's state and challenge.
    static let take = PostgresStatement(
        "oidc_take", "select redirect_uri, frontend_state, code_challenge from take_login($1, $2, $3)")

    /// $1 code's hash, $2 challenge, $3 issuer, $4 subject, $5 e-mail, $6 whether it is verified.
    static let issueCode = PostgresStatement("oidc_issue_code", "select issue_login_code($1, $2, $3, $4, $5, $6)")

    /// $1 code's hash, $2 challenge, $3 a new user's id, $4 a new identity's, $5 whether there may be a new one. Answers a
    /// verdict, the account and the issuer.
    static let redeem = PostgresStatement(
        "oidc_redeem", "select verdict, id, email, plan, created_at, vouched_by from redeem_login_code($1, $2, $3, $4, $5)")

    /// $1 nonce's hash, $2 seconds to remember it, $3 issuer, $4 subject, $5 e-mail, $6 whether it is verified, $7 a new user's
    /// id, $8 a new identity's, $9 whether there may be a new one. Answers as `redeem`.
    static let signIn = PostgresStatement(
        "oidc_sign_in",
        "select verdict, id, email, plan, created_at, vouched_by from sign_in_identity($1, $2, $3, $4, $5, $6, $7, $8, $9)")

    /// $1 code's hash, $2 challenge, $3 user, $4 a new identity's id. Answers a verdict and the identity.
    static let link = PostgresStatement(
        "oidc_link", "select verdict, id, issuer, email, created_at from link_identity($1, $2, $3, $4)")

    /// $1 user, $2 identity. Answers a verdict.
    static let unlink = PostgresStatement("oidc_unlink", "select unlink_identity($1, $2)")

    /// Needs the tenant. $1 user.
    static let list = PostgresStatement(
        "oidc_list",
        """
        select id, issuer, email, (extract(epoch from created_at) * 1000000)::bigint,
               (extract(epoch from last_used_at) * 1000000)::bigint
        from identities where user_id = $1 order by created_at, id
        """, .read)

    /// $1 how many of each kind.
    static let purge = PostgresStatement("oidc_purge", "select purge_logins($1)")
}
