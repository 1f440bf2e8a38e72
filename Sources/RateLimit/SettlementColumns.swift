import PlaygroundCore
import Postgres

/// A batch of settlements as the arrays that the settling statement takes.
struct SettlementColumns {
    /// A count that exceeds this is nonsense from an upstream; billed at this, it cannot overflow a bucket.
    private static let highestCount = Int(TokenBucket.highestRate / 2)
    private var completions: [UUIDBytes?] = []
    private var attempts: [UUIDBytes?] = []
    private var promptTokens: [Int64?] = []
    private var completionTokens: [Int64?] = []
    private var cachedTokens: [Int64?] = []
    private var reasoningTokens: [Int64?] = []
    private var sources: [String] = []
    private var outcomes: [String] = []
    private var finishReasons: [String] = []
    private var models: [String] = []
    private var upstreams: [String] = []

    mutating func append(_ settlement: Settlement) {
        completions.append(settlement.completionID.uuid)
        attempts.append(settlement.attempt)
        promptTokens.append(Self.count(settlement.usage.promptTokens))
        completionTokens.append(Self.count(settlement.usage.completionTokens))
        cachedTokens.append(Self.count(settlement.usage.cachedTokens))
        reasoningTokens.append(Self.count(settlement.usage.reasoningTokens))
        sources.append(settlement.usage.source.rawValue)
        outcomes.append(settlement.outcome.rawValue)
        finishReasons.append(Self.storable(settlement.finishReason ?? "", atMost: 100))
        models.append(Self.storable(settlement.model ?? "", atMost: 200))
        upstreams.append(settlement.upstream ?? "")
    }

    /// - Parameters:
    ///   - isCrowded: whether the rows have had to be waited for lately.
    ///   - onReleased: called where the commit was released early, before the flush.
    /// - Returns: the completions that need no further attempt.
    func write(
        to database: PostgresClient, deadline: Duration, isCrowded: Bool = false, onReleased: () -> Void = {}
    ) async throws(PostgresError) -> Set<CompletionID> {
        let values: [PostgresValue] = [
            .uuidArray(completions), .uuidArray(attempts), .intArray(promptTokens), .intArray(completionTokens),
            .intArray(cachedTokens),
            .intArray(reasoningTokens), .textArray(sources), .textArray(outcomes), .textArray(finishReasons), .textArray(models),
            .textArray(upstreams), .bool(isCrowded),
        ]
        let result = try await database.executeDurably(
            LimitStatements.settle, values, isCrowded: isCrowded, deadline: deadline,
            unflushed: LimitStatements.settleUnflushed, onReleased: onReleased)
        var acknowledged: Set<CompletionID> = []
        for row in result.rows { acknowledged.insert(CompletionID(try result.uuid(row, 0))) }
        return acknowledged
    }

    private static func count(_ tokens: Int) -> Int64 { Int64(min(max(0, tokens), highestCount)) }

    /// What comes from the upstream, cut to so many scalars: PostgreSQL's text cannot hold U+0000.
    private static func storable(_ text: String, atMost limit: Int) -> String {
        if text.utf8.count <= limit, !text.utf8.contains(0) { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit).filter { $0 != "\0" }))
    }
}
