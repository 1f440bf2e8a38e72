import HTTPServer
import PlaygroundCore
import RateLimit
import StrictJSON

/// What a user's completions have used and cost.
final class UsageHandlers {
    private let reader: UsageReader

    init(reader: UsageReader) { self.reader = reader }

    func report(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        try context.onlyQuery("from", "to", "limit", "cursor")
        let (period, limit) = try ServiceError.both(
            { () throws(ServiceError) in try UsagePeriod(from: context.query("from"), to: context.query("to")) },
            { () throws(ServiceError) in try PageRequest.limit(context.query("limit")) })
        let cursor = try context.query("cursor").map { text throws(ServiceError) in
            guard let cursor = UsageCursor(text) else { throw ServiceError(.invalidCursor) }
            return cursor
        }
        let report = try await reader.report(period, limit: limit, after: cursor, of: principal.userID)
        var writer = JSONWriter()
        report.write(to: &writer)
        return .response(.json(bytes: writer.bytes))
    }
}
