import EventLoop
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import RateLimit

extension LimitsDatabase {
    /// Runs `body` with a client of its own, which acts as servers do, or as operators.
    func onClient<Result: Sendable>(
        isOperator: Bool = false, _ body: @escaping @Sendable (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let configuration = isOperator ? try PostgresConfiguration(owner) : try configuration()
        return try await withLoop { loop in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
            let result = try await body(client)
            await client.close()
            return result
        }
    }

    /// A page of a report, the days and the cursor as clients write them.
    func report(
        of user: UserID, from: String? = nil, to: String? = nil, limit: Int = 50, after cursor: UsageCursor? = nil
    ) async throws -> UsageReport {
        let period = try UsagePeriod(from: from, to: to)
        return try await onClient { client in
            try await UsageReader(database: client).report(period, limit: limit, after: cursor, of: user)
        }
    }

    /// A bill like those that a settlement writes.
    func bill(
        _ user: UserID, at moment: String, model: String = "m", preset: PresetID? = nil, prompt: Int = 1, completion: Int = 2,
        cached: Int = 0, reasoning: Int = 0, cost: String? = nil
    ) throws {
        let preset = preset.map { "'\($0)'" } ?? "null"
        let model = model.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        try run(
            """
            insert into usage (
                completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, started_at,
                cached_tokens, reasoning_tokens, cost)
            values (
                gen_random_uuid(), '\(user)', '\(model)', \(preset), \(prompt), \(completion), 'exact', 'done', '\(moment)',
                \(cached), \(reasoning), \(cost ?? "null"))
            """)
    }
}
