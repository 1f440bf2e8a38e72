import Auth
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// A user's sessions over HTTP: which there are, and ending them.
final class ListedSessionHandlers {
    private let book: SessionBook
    private let audit: AuditLog

    init(book: SessionBook, audit: AuditLog) {
        self.book = book
        self.audit = audit
    }

    func list(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        try context.onlyQuery("limit", "cursor")
        let request = try PageRequest(limit: context.query("limit"), cursor: context.query("cursor"))
        let page = try await book.page(request, of: principal.userID)
        return .response(
            .json { writer in
                writer.member("data") { writer in
                    writer.array { writer in
                        for session in page.items {
                            Self.write(session, isCurrent: session.id == principal.sessionID, &writer)
                        }
                    }
                }
                writer.member("next_cursor") { writer in
                    if let next = page.next { writer.string(next.description) } else { writer.null() }
                }
            })
    }

    func end(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let session: SessionID = try context.pathID()
        try await book.end(session, of: principal.userID)
        audit.record(AuditEvent(.sessionEnded, of: .user(principal.userID), session: session, from: context.auditOrigin))
        return .response(Response(status: .noContent))
    }

    func endOthers(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let ended = try await book.endOthers(than: principal.sessionID, of: principal.userID)
        if ended > 0 {
            audit.record(
                AuditEvent(
                    .sessionsEnded, of: .user(principal.userID), session: principal.sessionID, from: context.auditOrigin,
                    detail: "\(ended) others"))
        }
        return .response(.json { $0.member("ended", ended) })
    }

    private static func write(_ session: ListedSession, isCurrent: Bool, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", session.id)
            if let device = session.device { writer.member("device", device) }
            if let address = session.address { writer.member("address", address) }
            writer.member("created_at", session.createdAt)
            writer.member("last_used_at", session.lastUsedAt)
            writer.member("current", isCurrent)
        }
    }
}
