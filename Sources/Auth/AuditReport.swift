package import PlaygroundCore
package import Postgres

/// The audit trail as an operator asks for it, newest event first, row by row out of the database.
package struct AuditReport {
    /// Rows that are held at a time.
    private static let page = 1_000
    private static let moment = #"'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"#

    /// Whose events: done to them, or by them. An id, because accounts end before their events do.
    package var user: UserID?
    package var kind: AuditEvent.Kind?
    package var outcome: AuditEvent.Outcome?
    /// The first moment; the one after the last.
    package var since: Timestamp?
    package var until: Timestamp?
    /// Rows at most; nil for all.
    package var limit: Int?

    package init() {}

    /// The names of the columns; `count` is a number, all others are texts.
    package static let columns = [
        "at", "kind", "outcome", "subject_id", "email", "actor_id", "account", "session_id", "address", "user_agent",
        "request_id",
        "detail", "count", "last_at", "id",
    ]

    /// The id of the account with this address.
    /// - Throws: `not_found`.
    package static func user(email: String, on connection: BlockingConnection) throws -> UserID {
        let address = try EmailAddress(parsing: email)
        let result = try connection.run("select id from users where email = $1", [.text(address.description)])
        guard !result.isEmpty else { throw ServiceError(.notFound, "There is no account with this address") }
        return UserID(try result.uuid(0, 0))
    }

    /// Gives the rows one after the other, as they are at one moment; nil for what there is not.
    package func run(on connection: BlockingConnection, _ row: ([String?]) -> Void) throws(PostgresError) {
        try connection.run("set statement_timeout = 0; begin isolation level repeatable read read only")
        var left = limit ?? Int.max
        var after: (at: String?, id: String?) = (nil, nil)
        while left > 0 {
            let result = try connection.run(
                Self.query,
                [
                    .text(user?.description), .text(kind?.rawValue), .text(outcome?.rawValue), .text(since?.description),
                    .text(until?.description), .text(after.at), .text(after.id), .int(min(left, Self.page)),
                ])
            for index in result.rows {
                var fields: [String?] = []
                for column in 0..<result.columns { fields.append(try result.stringIfPresent(index, column)) }
                after = (fields.first ?? nil, fields.last ?? nil)
                row(fields)
            }
            left -= result.count
            if result.count < Self.page { break }
        }
        try connection.run("commit")
    }

    /// $1 user, $2 kind, $3 outcome, $4 since, $5 until, $6 and $7 the row before the page, $8 rows.
    private static let query = """
        select to_char(a.at at time zone 'UTC', \(moment)), a.kind, a.outcome, a.subject_id::text, u.email, a.actor_id::text,
            a.account, a.session_id::text, a.address, a.user_agent, a.request_id::text, a.detail, a.count::text,
            to_char(a.last_at at time zone 'UTC', \(moment)), a.id::text
        from audit_events a left join users u on u.id = a.subject_id
        where ($1::text is null or a.subject_id = $1::uuid or a.actor_id = $1::uuid)
            and ($2::text is null or a.kind = $2::text)
            and ($3::text is null or a.outcome = $3::text)
            and ($4::text is null or a.at >= $4::timestamptz)
            and ($5::text is null or a.at < $5::timestamptz)
            and ($6::text is null or (a.at, a.id) < ($6::timestamptz, $7::uuid))
        order by a.at desc, a.id desc
        limit $8
        """
}
