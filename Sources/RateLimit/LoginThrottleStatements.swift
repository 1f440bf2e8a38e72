import Postgres

/// The SQL that slows guessing down. Its statements run in transactions that begin with `lock`, for the account and then for the
/// address: whoever holds the locks sees everything that was counted before, also what no row stood for yet.
enum LoginThrottleStatements {
    /// Waits until nobody else counts attempts on this. Held to the transaction's end, in memory alone: a refusal writes nothing.
    /// Two subjects that hash alike wait for each other, and no more.
    ///
    /// The transaction's commit does not wait for the disk: what others ask for over the same connection would wait with it. A database
    /// that crashes forgets the attempts of its last half second, so that a guesser has those few once more.
    ///
    /// $1 kind, so that a subject of one kind is none of another; $2 subject.
    static let lock = PostgresStatement(
        "throttle_lock",
        "select set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock($1::int, hashtext($2::text))", .read)

    /// Counts a log-in in all three places, or in none where one of them refuses. A network with a good history is asked for its
    /// own delay and for its address, not for what strangers share.
    ///
    /// One row: whether it was admitted, the microseconds to wait otherwise, which limit says so; then what
    /// ``undecided`` needs: the moment (microseconds since 1970), that of the attempt before or null, and the failures before.
    ///
    /// $1 account, $2 network, $3 address, $4 delays in microseconds by the number of failures, $5 microseconds until failures
    /// are forgotten, $6 attempts of strangers in $7 microseconds, $8 attempts of an address in $9 microseconds.
    static let admitLogin = PostgresStatement(
        "throttle_admit_login",
        """
        select is_admitted, wait, told, moment, before, failures from admit_login($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """)

    /// The same for what is counted in one place alone. $1 scope, $2 subject, $3 attempts in $4 microseconds.
    static let admitAttempt = PostgresStatement(
        "throttle_admit_attempt", "select is_admitted, wait, moment from admit_attempt($1, $2, $3, $4)")

    /// The password was right: the network has a good history from now on, and its failures are forgotten. Of the account's other
    /// networks only the latest stay known.
    ///
    /// $1 account, $2 network, $3 how many other networks stay, $4 microseconds that a network is known for, $5 microseconds until
    /// failures are forgotten.
    static let succeeded = PostgresStatement(
        "throttle_succeeded", "select login_succeeded($1, $2, $3, $4, $5)")

    /// The password was never judged: the network's row is again what it was before the attempt. Where others came after, they
    /// keep their delay.
    ///
    /// $1 account, $2 network, $3 the attempt's moment, $4 that of the one before or null, $5 the failures before.
    static let undecided = PostgresStatement(
        "throttle_undecided", "select login_undecided($1, $2, $3, $4, $5)")

    /// Takes one attempt out of what a limit has counted; where it is not there, nothing. $1 scope, $2 subject, $3 its moment.
    static let giveBack = PostgresStatement(
        "throttle_give_back", "select give_back_attempt($1, $2, $3)")

    /// Removes rows that say nothing any more, $1 at most; how many there were.
    static let purgeNetworks = PostgresStatement(
        "throttle_purge_networks", "select purge_login_networks($1)")

    /// The same for the attempts that limits have counted. $1 how many rows at most.
    static let purgeWindows = PostgresStatement(
        "throttle_purge_windows", "select purge_attempt_windows($1)")
}
