import Postgres

/// The SQL of leases and of what dead processes leave behind.
enum LeaseStatements {
    /// $1 process.
    static let renew = PostgresStatement(
        "limits_renew",
        """
        insert into processes as p (id, expires_at, unbroken_since) values ($1::uuid, now() + interval '30 seconds', now())
        on conflict (id) do update set
            unbroken_since = case when p.expires_at < now() then now() else p.unbroken_since end,
            expires_at = excluded.expires_at
        """)

    /// $1 process.
    static let release = PostgresStatement("limits_release", "delete from processes where id = $1::uuid")

    /// Completions of dead processes, if the asking process may call others dead. One that was admitted just now is left alone:
    /// its process may be about to take its first lease.
    ///
    /// $1 process.
    static let orphans = PostgresStatement(
        "limits_orphans", "select completion_id, prompt_tokens, completion_tokens, attempt from orphaned_completions($1)", .read)

    /// Removes voids that no admission can come after any more, and dead processes that have left nothing.
    static let tidy = PostgresStatement("limits_tidy", "select tidy_processes()")
}
