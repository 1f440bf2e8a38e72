import PlaygroundCore
package import Postgres

/// All accounts, row by row out of the database: there may be more than fit in memory.
package struct UserReport {
    /// Rows that are held at a time.
    private static let page = 1_000
    /// Only accounts whose address contains this, in lower case; nil for all.
    package var search: String?

    package init() {}

    /// The names of the columns; `sessions` is a number, all others are texts.
    package static let columns = ["id", "email", "plan", "created_at", "email_verified_at", "disabled_at", "sessions"]

    /// Gives the rows one after the other, oldest account first, as they are at one moment; nil for what there is not.
    package func run(on connection: BlockingConnection, _ row: ([String?]) -> Void) throws(PostgresError) {
        try connection.run("set statement_timeout = 0; begin isolation level repeatable read read only")
        var after: String?
        while true {
            let result = try connection.run(Self.query, [.text(after), .text(search), .int(Self.page)])
            for index in result.rows {
                var fields: [String?] = []
                for column in 0..<result.columns { fields.append(try result.stringIfPresent(index, column)) }
                after = fields.first ?? nil
                row(fields)
            }
            if result.count < Self.page { break }
        }
        try connection.run("commit")
    }

    private static let moment = #"'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"#

    /// Ids are in the order of their making. $1 the row before the page, $2 what addresses contain, $3 rows.
    private static let query = """
        select u.id::text, u.email, u.plan, to_char(u.created_at at time zone 'UTC', \(moment)),
            to_char(u.email_verified_at at time zone 'UTC', \(moment)), to_char(u.disabled_at at time zone 'UTC', \(moment)),
            (select count(*) from sessions s
            where s.user_id = u.id and s.revoked_at is null
                and now() < least(s.created_at + interval '30 days', s.rotated_at + interval '7 days'))::text
        from users u
        where ($1::text is null or u.id > $1::uuid) and ($2::text is null or position($2::text in lower(u.email)) > 0)
        order by u.id limit $3
        """
}
