package import PlaygroundCore
package import Postgres

/// A user's sessions as they see them: which there are, and ending them. Belongs to its loop.
///
/// Every call names the owner: somebody else's session is a missing one. All throw `database_unavailable`.
package final class SessionBook {
    private let database: PostgresClient
    private let revoked: RevokedSessions
    private let now: WallClock

    /// - Parameter now: microseconds since 1970.
    package init(database: PostgresClient, revoked: RevokedSessions, now: @escaping WallClock) {
        self.database = database
        self.revoked = revoked
        self.now = now
    }

    /// A page of the sessions that can still be used, newest first.
    /// - Throws: `invalid_cursor` where the cursor is no moment.
    package func page(_ request: PageRequest, of owner: UserID) async throws(ServiceError) -> Page<ListedSession> {
        if let moment = request.cursor?.createdAt.microseconds, !Cursor.moments.contains(moment) {
            throw ServiceError(.invalidCursor)
        }
        let values: [PostgresValue] = [
            .uuid(owner.uuid), .int(request.limit + 1), .int(request.cursor?.createdAt.microseconds), .uuid(request.cursor?.id),
        ]
        do throws(PostgresError) {
            let result = try await database.execute(SessionBookStatements.page, values, tenant: owner, lane: .slow)
            var sessions: [ListedSession] = []
            for row in result.rows {
                sessions.append(
                    ListedSession(
                        id: SessionID(try result.uuid(row, 0)), device: try result.stringIfPresent(row, 1),
                        address: try result.stringIfPresent(row, 2), createdAt: Timestamp(microseconds: try result.int(row, 3)),
                        lastUsedAt: Timestamp(microseconds: try result.int(row, 4))))
            }
            guard sessions.count > request.limit else { return Page(items: sessions, next: nil) }
            sessions.removeLast()
            return Page(items: sessions, next: sessions.last.map { Cursor(createdAt: $0.createdAt, id: $0.id.uuid) })
        } catch {
            throw error.serviceError
        }
    }

    /// Ends one session, on every replica.
    /// - Throws: `not_found` for one that has ended, is somebody else's, or never was.
    package func end(_ session: SessionID, of owner: UserID) async throws(ServiceError) {
        let ended = try await end(SessionBookStatements.end, [.uuid(owner.uuid), .uuid(session.uuid)], of: owner)
        if ended.isEmpty { throw ServiceError(.notFound, "There is no such session") }
    }

    /// Ends all sessions but one, on every replica; how many.
    /// - Parameter kept: nil to end all.
    package func endOthers(than kept: SessionID?, of owner: UserID) async throws(ServiceError) -> Int {
        try await end(SessionBookStatements.endOthers, [.uuid(owner.uuid), .uuid(kept?.uuid)], of: owner).count
    }

    private func end(
        _ statement: PostgresStatement, _ values: [PostgresValue], of owner: UserID
    ) async throws(ServiceError) -> [SessionID] {
        do throws(PostgresError) {
            let ended = try SessionBookStatements.ended(await database.execute(statement, values, tenant: owner))
            for session in ended { revoked.insert(session, age: 0, now: now() / 1_000_000) }
            return ended
        } catch {
            throw error.serviceError
        }
    }
}

/// A session as its owner is shown it.
package struct ListedSession: Sendable, Equatable {
    package let id: SessionID
    /// See ``SessionOrigin``; of the latest log-in or refresh.
    package let device: String?
    package let address: String?
    /// The log-in.
    package let createdAt: Timestamp
    /// The latest refresh, or else the log-in.
    package let lastUsedAt: Timestamp
}
