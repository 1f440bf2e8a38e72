import Postgres

/// The SQL of mails and of the links in them: a function each, because they begin before a user is known.
enum MailStatements {
    /// Writes a mail down that is to be sent. $1 its id, $2 kind, $3 user or null, $4 whom it goes to.
    static let request = PostgresStatement("mail_request", "select request_mail($1, $2, $3, $4)")

    /// The next mail that is due. One row: id (null where there is none), kind, user, e-mail, new e-mail, whether it is the last attempt.
    static let take = PostgresStatement(
        "mail_take", "select id, kind, user_id, email, new_email, is_last from take_mail()")

    /// Makes a mail's link good. $1 link, $2 user, $3 purpose, $4 e-mail, $5 hash, $6 seconds.
    static let arm = PostgresStatement("mail_arm", "select arm_link($1, $2, $3, $4, $5, make_interval(secs => $6::bigint))")

    /// Removes a mail, or puts it off. $1 mail, $2 whether it is over.
    static let settle = PostgresStatement("mail_settle", "select settle_mail($1, $2)")

    /// The e-mail address that a link to set a password was sent to; null where it is no good. $1 link, $2 purpose, $3 hash.
    static let passwordLink = PostgresStatement("mail_password_link", "select password_link($1, $2, $3)", .read)

    /// Sets a password by a link. One row: the user, null where the link is no good, and the sessions that ended.
    ///
    /// $1 link, $2 purpose, $3 hash, $4 password hash, $5 id of the mail that tells the owner, or null for none.
    static let usePasswordLink = PostgresStatement(
        "mail_use_password_link",
        "select owner, array_to_string(ended, ',') from use_password_link($1, $2, $3, $4, $5)")

    /// Confirms an address by a link. One row: done, taken or invalid, and the user where it is done. $1 link, $2 purpose, $3 hash, $4 id of a mail.
    static let useEmailLink = PostgresStatement(
        "mail_use_email_link", "select verdict, owner from use_email_link($1, $2, $3, $4)")

    /// Removes links that are over; how many. $1 how many at most.
    static let purge = PostgresStatement("mail_purge_links", "select purge_links($1)")

    /// Deletes an account. One row: the sessions that ended, null where there is no such account. $1 user.
    static let deleteAccount = PostgresStatement(
        "account_delete", "select array_to_string(delete_account($1), ',')")

    /// Takes deleted users out of the bills; whether there are more. $1 bills at most.
    static let forget = PostgresStatement("account_forget", "select forget_users($1)")
}
