import Auth
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// A user's sessions over HTTP: which there are, and ending them.
final class ListedSessionHandlers {
    private let book: SessionBook

    init(book: SessionBook) { self.book = book }

    func list(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
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
        try await book.end(context.pathID(), of: principal.userID)
        return .response(Response(status: .noContent))
    }

    func endOthers(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let ended = try await book.endOthers(than: principal.sessionID, of: principal.userID)
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
