import PlaygroundCore
import Postgres

/// A batch of settlements as the arrays that the settling statement takes.
struct SettlementColumns {
    /// A count that exceeds this is nonsense from an upstream; billed at this, it cannot overflow a bucket.
    private static let highestCount = Int(TokenBucket.highestRate / 2)
    private var completions: [UUIDBytes] = []
    private var promptTokens: [Int64] = []
    private var completionTokens: [Int64] = []
    private var sources: [String] = []
    private var outcomes: [String] = []
    private var finishReasons: [String] = []
    private var models: [String] = []

    mutating func append(_ settlement: Settlement) {
        append(
            settlement.completionID, settlement.usage, outcome: settlement.outcome.rawValue,
            finishReason: settlement.finishReason ?? "", model: settlement.model ?? "")
    }

    /// Nothing was spent and nothing is billed.
    mutating func appendVoid(of completionID: CompletionID) {
        let nothing = Usage(promptTokens: 0, completionTokens: 0, source: .exact, maxTokensApplied: 0)
        append(completionID, nothing, outcome: "", finishReason: "", model: "")
    }

    /// - Returns: the completions that need no further attempt.
    func write(to database: PostgresClient, deadline: Duration) async throws(PostgresError) -> Set<CompletionID> {
        let values: [PostgresValue] = [
            .uuidArray(completions), .intArray(promptTokens), .intArray(completionTokens), .textArray(sources),
            .textArray(outcomes), .textArray(finishReasons), .textArray(models),
        ]
        // Not in the pipeline of the reservations: each of those would wait for the commit of all that is before it.
        let result = try await database.execute(LimitStatements.settle, values, lane: .slow, deadline: deadline)
        var acknowledged: Set<CompletionID> = []
        for row in result.rows { acknowledged.insert(CompletionID(try result.uuid(row, 0))) }
        return acknowledged
    }

    private mutating func append(
        _ completionID: CompletionID, _ usage: Usage, outcome: String, finishReason: String, model: String
    ) {
        completions.append(completionID.uuid)
        promptTokens.append(Int64(min(max(0, usage.promptTokens), Self.highestCount)))
        completionTokens.append(Int64(min(max(0, usage.completionTokens), Self.highestCount)))
        sources.append(usage.source.rawValue)
        outcomes.append(outcome)
        finishReasons.append(Self.storable(finishReason, atMost: 100))
        models.append(Self.storable(model, atMost: 200))
    }

    /// What comes from the upstream, cut to so many scalars: PostgreSQL's text cannot hold U+0000.
    private static func storable(_ text: String, atMost limit: Int) -> String {
        if text.utf8.count <= limit, !text.utf8.contains(0) { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit).filter { $0 != "\0" }))
    }
}
