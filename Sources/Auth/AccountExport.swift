package import PlaygroundCore
package import Postgres

/// Everything that the database has of a user, for that user: a page at a time, because it may be a gigabyte. No secret is among it, nor
/// what one is checked by. Belongs to its loop.
package final class AccountExport {
    /// A list in the export.
    package enum Section: String, Sendable, CaseIterable {
        case sessions, presets, usage
    }

    /// Some of a list's elements, as JSON.
    package struct Page: Sendable {
        package let elements: [String]
        /// What the next page is asked for with; nil where there is none.
        package let next: String?
    }

    private static let deadline = Duration.seconds(5)
    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// The account itself, a JSON object.
    /// - Throws: `session_revoked` where it is gone; `database_unavailable`.
    package func account(of user: UserID) async throws(ServiceError) -> String {
        let result = try await run(AccountExportStatements.account, [.uuid(user.uuid)], of: user)
        if result.isEmpty { throw ServiceError(.sessionRevoked) }
        do {
            return try result.string(0, 0)
        } catch {
            throw error.serviceError
        }
    }

    /// A page of a list.
    /// - Parameter after: what the page before has said; nil for the first.
    /// - Throws: `database_unavailable`.
    package func page(of section: Section, after: String?, of user: UserID) async throws(ServiceError) -> Page {
        let list = AccountExportStatements.list(section)
        let values: [PostgresValue] = [.uuid(user.uuid), .text(after ?? list.beginning), .int(list.limit)]
        let result = try await run(list.statement, values, of: user)
        do {
            var elements: [String] = []
            for row in result.rows { elements.append(try result.string(row, 0)) }
            let next = result.count == list.limit ? try result.string(result.count - 1, 1) : nil
            return Page(elements: elements, next: next)
        } catch {
            throw error.serviceError
        }
    }

    private func run(
        _ statement: PostgresStatement, _ values: [PostgresValue], of user: UserID
    ) async throws(ServiceError) -> PostgresResult {
        do {
            return try await database.execute(statement, values, tenant: user, lane: .slow, deadline: Self.deadline)
        } catch {
            throw error.serviceError
        }
    }
}
