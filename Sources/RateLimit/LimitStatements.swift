import Postgres

/// The limiter's SQL. Every statement is a transaction of its own, and the only clock is the database's. What decides lies in two
/// functions of the schema, `reserve_completions` and `settle_completions`, with the reasons beside it.
enum LimitStatements {
    /// Reserves for each of a batch everything or nothing; a row for each, in the order of the batch. A completion id that
    /// another transaction takes at the same moment fails the batch as a serialization failure does.
    ///
    /// $1 process, then an array each of: $2 completions, $3 attempts, $4 users, $5 sessions or null, $6 prompt tokens,
    /// $7 `max_tokens` or null where the request names none, $8 models, $9 presets or null, $10 names of upstreams. $11 whether
    /// the rows have had to be waited for lately; $12 whether all completions are new, see ``ReservationRequest/isNew``.
    static let reserve = PostgresStatement(
        "limits_reserve",
        """
        select verdict, max_tokens, upstream, cost, requests_per_minute, request_units, tokens_per_minute, token_units,
            concurrent_streams, in_flight, wait, remaining, reason,
            is_unflushed
        from reserve_completions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) order by place
        """, results: .binary)

    /// The column of ``reserve`` that says whether a ``flush`` has to come before it is believed.
    static let reserveUnflushed = 13

    /// Takes one request and no tokens, if there is one; answers what is left. No row where there is no such user.
    ///
    /// $1 user.
    static let charge = PostgresStatement(
        "limits_charge",
        "select requests_per_minute, request_units, tokens_per_minute, token_units from charge_request($1)")

    /// Settles a batch, which cannot be settled twice. The answer has the completions that need no further attempt, and whether a
    /// ``flush`` has to come before that is believed.
    ///
    /// An array each of: $1 completions, $2 attempts or null for whichever there is, $3 prompt tokens, $4 completion tokens, $5 cached
    /// and $6 reasoning tokens among them, $7 sources, $8 outcomes, $9 finish reasons, $10 models, $11 upstreams; an empty text
    /// stands for none. $12 whether the rows have had to be waited for lately.
    static let settle = PostgresStatement(
        "limits_settle",
        "select completion_id, is_unflushed from settle_completions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        results: .binary)

    /// The column of ``settle`` that says so.
    static let settleUnflushed = 1

    /// Returns when what was committed before is on the disk: a record of its own is, and the log is written in order.
    static let flush = PostgresStatement("limits_flush", "select pg_logical_emit_message(true, 'flush', '')")

    /// Admits and settles a completion of nobody's and takes both back; answers the verdict on it.
    static let rehearse = PostgresStatement("limits_rehearse", "select rehearse_limits()")

    /// Undoes attempts that were sent and never answered, whether they were admitted or are yet to come.
    ///
    /// An array each of: $1 attempts, $2 their completions, $3 their users.
    static let void = PostgresStatement("limits_void", "select void_attempts($1, $2, $3)")

    /// Notes what running completions have spent, and answers those among them that their owners want stopped: so a process
    /// learns it also when the notification did not reach it. A row that is being settled is left alone.
    ///
    /// $1 completions, $2 prompt tokens, $3 completion tokens.
    static let progress = PostgresStatement("limits_progress", "select completion_id, user_id from note_progress($1, $2, $3)")

    /// Writes what this server's environment says of plan `default` and of upstreams with limits.
    ///
    /// $1 requests and $2 tokens a minute, $3 streams at once, $4 cap and $5 default of `max_tokens`; then an array each of:
    /// $6 upstreams, $7 requests and $8 tokens a minute, null for no limit.
    static let declare = PostgresStatement("limits_declare", "select declare_limits($1, $2, $3, $4, $5, $6, $7, $8)")
}

extension PostgresClient {
    /// Runs a statement that may release its rows before the disk has what it did, and returns when the disk has it.
    ///
    /// - Parameters:
    ///   - isCrowded: whether it is known to release them early: then the flush is sent right behind it.
    ///   - column: where its result says that it did.
    ///   - onReleased: called where it did.
    /// - Throws: `unknownOutcome` where it was not heard that the disk has it: it may be lost with the database.
    func executeDurably(
        _ statement: PostgresStatement, _ values: [PostgresValue], isCrowded: Bool, deadline: Duration,
        unflushed column: Int, onReleased: () -> Void
    ) async throws(PostgresError) -> PostgresResult {
        if isCrowded {
            let (result, flushed) = try await execute(statement, values, then: LimitStatements.flush, deadline: deadline)
            guard try result.anyRow(isTrue: column) else { return result }
            onReleased()
            guard case .success = flushed else { throw .unknownOutcome }
            return result
        }
        let result = try await execute(statement, values, deadline: deadline)
        guard try result.anyRow(isTrue: column) else { return result }
        onReleased()
        do {
            _ = try await execute(LimitStatements.flush, [], deadline: deadline)
        } catch {
            throw .unknownOutcome
        }
        return result
    }
}
