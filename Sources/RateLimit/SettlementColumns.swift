import PlaygroundCore
import Postgres

/// A batch of settlements as the arrays that the settling statement takes.
struct SettlementColumns {
    /// A count that exceeds this is nonsense from an upstream; billed at this, it cannot overflow a bucket.
    private static let highestCount = Int(TokenBucket.highestRate / 2)
    private let values: [PostgresValue]

    init(_ settlements: [Settlement]) {
        values = [
            .uuidArray(settlements.map(\.completionID.uuid)),
            .uuidArray(settlements.map(\.attempt)),
            .intArray(settlements.map { Self.count($0.usage.promptTokens) }),
            .intArray(settlements.map { Self.count($0.usage.completionTokens) }),
            .intArray(settlements.map { Self.count($0.usage.cachedTokens) }),
            .intArray(settlements.map { Self.count($0.usage.reasoningTokens) }),
            .textArray(settlements.map(\.usage.source.rawValue)),
            .textArray(settlements.map(\.outcome.rawValue)),
            .textArray(settlements.map { Self.storable($0.finishReason ?? "", atMost: 100) }),
            .textArray(settlements.map { Self.storable($0.model ?? "", atMost: 200) }),
            .textArray(settlements.map { $0.upstream ?? "" }),
        ]
    }

    /// - Parameters:
    ///   - isCrowded: whether the rows have had to be waited for lately.
    ///   - onReleased: called where the commit was released early, before the flush.
    /// - Returns: the completions that need no further attempt.
    func write(
        to database: PostgresClient, deadline: Duration, isCrowded: Bool = false, onReleased: () -> Void = {}
    ) async throws(PostgresError) -> [CompletionID] {
        let result = try await database.executeDurably(
            LimitStatements.settle, values + [.bool(isCrowded)], isCrowded: isCrowded, deadline: deadline,
            unflushed: LimitStatements.settleUnflushed, onReleased: onReleased)
        var acknowledged: [CompletionID] = []
        acknowledged.reserveCapacity(result.count)
        for row in result.rows { acknowledged.append(CompletionID(try result.uuid(row, 0))) }
        return acknowledged
    }

    private static func count(_ tokens: Int) -> Int64 { Int64(min(max(0, tokens), highestCount)) }

    /// What comes from the upstream, cut to so many scalars: PostgreSQL's text cannot hold U+0000.
    private static func storable(_ text: String, atMost limit: Int) -> String {
        if text.utf8.count <= limit, !text.utf8.contains(0) { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit).filter { $0 != "\0" }))
    }
}
