import PlaygroundCore
package import Postgres

/// What an operator's report has a row for.
package enum UsageBreakdown: String, Sendable, CaseIterable {
    case day, user, model

    /// What tells rows apart, by the columns' names.
    fileprivate var keys: [String] {
        switch self {
        case .day: ["date"]
        case .user: ["user_id", "email"]
        case .model: ["model"]
        }
    }
}

/// The usage of all users, row by row out of the database: the report may be larger than memory.
package struct UsageExport {
    /// Rows that are held at a time.
    private static let batch = 1000
    private static let figures = ["requests", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost"]

    private let period: UsagePeriod
    private let breakdowns: [UsageBreakdown]

    /// - Parameter breakdown: nil for rows by day, user and model.
    package init(_ period: UsagePeriod, by breakdown: UsageBreakdown?) {
        self.period = period
        breakdowns = breakdown.map { [$0] } ?? UsageBreakdown.allCases
    }

    /// The names of the columns.
    package var columns: [String] { breakdowns.flatMap(\.keys) + Self.figures }

    /// Gives the rows one after the other, in the order of what tells them apart, as they are at one moment. Nil stands for an
    /// address whose account is gone, and for the cost of what had no price.
    package func run(on connection: BlockingConnection, _ row: ([String?]) -> Void) throws(PostgresError) {
        try connection.run("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0")
        try connection.run("begin isolation level repeatable read read only")
        try connection.run("declare report no scroll cursor for \(query)")
        while true {
            let result = try connection.run("fetch \(Self.batch) from report")
            for index in result.rows {
                var fields: [String?] = []
                for column in 0..<result.columns { fields.append(try result.stringIfPresent(index, column)) }
                row(fields)
            }
            if result.count < Self.batch { break }
        }
        try connection.run("commit")
    }

    /// Made of the program's own words and numbers. Addresses are looked up for the groups and not for each bill.
    private var query: String {
        let grouping = breakdowns.map { breakdown in
            switch breakdown {
            case .day: "utc_day(started_at) as day"
            case .user: "user_id"
            case .model: "model collate \"C\" as model"
            }
        }
        let shown = breakdowns.map { breakdown in
            switch breakdown {
            case .day: "to_char(day, 'YYYY-MM-DD')"
            case .user: "user_id, u.email"
            case .model: "model"
            }
        }
        let order = breakdowns.map { $0 == .user ? "user_id" : $0.rawValue }.joined(separator: ", ")
        let last = period.days.map { "date '1970-01-01' + \($0.upperBound.number)" } ?? "utc_day(now())"
        let others = UsagePeriod.defaultDays - 1
        let first = period.days.map { "date '1970-01-01' + \($0.lowerBound.number)" } ?? "\(last) - \(others)"
        return """
            select \(shown.joined(separator: ", ")), requests, prompt, completion, cached, reasoning, trim_scale(cost)
            from (
                select \(grouping.joined(separator: ", ")), count(*) as requests, sum(prompt_tokens) as prompt,
                    sum(completion_tokens) as completion, sum(cached_tokens) as cached, sum(reasoning_tokens) as reasoning,
                    sum(cost) as cost
                from usage
                where started_at >= (\(first))::timestamp at time zone 'UTC'
                    and started_at < (\(last) + 1)::timestamp at time zone 'UTC'
                group by \((1...grouping.count).map(String.init).joined(separator: ", "))
            ) g \(breakdowns.contains(.user) ? "left join users u on u.id = g.user_id" : "")
            order by \(order)
            """
    }
}
