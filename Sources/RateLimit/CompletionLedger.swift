package import PlaygroundCore
package import Postgres

/// One loop's way to what the database knows of completions. Every call names the owner, and what belongs to somebody else is
/// answered like what does not exist. All throw `database_unavailable` where the database does not answer.
package final class CompletionLedger {
    private let database: PostgresClient

    package init(database: PostgresClient) {
        self.database = database
    }

    /// Asks whichever process runs the completion to end it. Asking again changes nothing.
    /// - Returns: whether it is the owner's and not settled yet.
    package func requestStop(_ request: StopRequest) async throws(ServiceError) -> Bool {
        do throws(PostgresError) {
            let values = Self.values(request.completionID, request.userID)
            return try await !database.execute(CompletionStatements.stop, values, tenant: request.userID).isEmpty
        } catch {
            // Asking twice is asking once: nobody has to look first whether it was done.
            if case .unknownOutcome = error {
                throw ServiceError(.databaseUnavailable, retryAfter: .seconds(1), cause: "\(error)")
            }
            throw error.serviceError
        }
    }

    /// What is known of the owner's completion; throws `not_found`.
    package func record(_ id: CompletionID, of owner: UserID) async throws(ServiceError) -> CompletionRecord {
        let record: CompletionRecord?
        do throws(PostgresError) {
            let result = try await database.execute(CompletionStatements.status, Self.values(id, owner), tenant: owner)
            record = result.isEmpty ? nil : try Self.record(id, result)
        } catch {
            throw error.serviceError
        }
        guard let record else { throw ServiceError(.notFound) }
        return record
    }

    private static func values(_ id: CompletionID, _ owner: UserID) -> [PostgresValue] { [.uuid(id.uuid), .uuid(owner.uuid)] }

    private static func record(_ id: CompletionID, _ row: PostgresResult) throws(PostgresError) -> CompletionRecord {
        let maxTokens = try row.intIfPresent(0, 10).map { Int($0) }
        let usage = Usage(
            promptTokens: Int(try row.int(0, 7)), completionTokens: Int(try row.int(0, 8)),
            cachedTokens: Int(try row.int(0, 11)), reasoningTokens: Int(try row.int(0, 12)),
            source: UsageSource(rawValue: try row.string(0, 9)) ?? .estimated, maxTokensApplied: maxTokens ?? 0)
        return CompletionRecord(
            id: id, status: try row.string(0, 1), model: try row.string(0, 2), finishReason: try row.stringIfPresent(0, 3),
            presetID: try row.uuidIfPresent(0, 4).map { PresetID($0) }, startedAt: Timestamp(microseconds: try row.int(0, 5)),
            finishedAt: try row.intIfPresent(0, 6).map { Timestamp(microseconds: $0) }, usage: usage,
            knowsMaxTokens: maxTokens != nil, cost: try row.stringIfPresent(0, 13),
            process: try row.uuidIfPresent(0, 0).map { ProcessID($0) })
    }
}
