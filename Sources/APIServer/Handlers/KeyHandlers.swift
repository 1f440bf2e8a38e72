import Auth
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// Keys that people make for their programs.
final class KeyHandlers {
    private let book: APIKeyBook

    init(book: APIKeyBook) { self.book = book }

    func list(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let keys = try await book.keys(of: principal.userID)
        return .response(.json { $0.member("data", keys) })
    }

    /// Shows the key, this once. So the answer is not kept for an `Idempotency-Key`: it would be a key that works, in the database.
    func create(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let body = try await context.json()
        let draft = try APIKeyDraft.parse(body: body.span)
        let (key, text) = try await book.create(draft, of: principal.userID, from: context.auditOrigin)
        return .response(
            .json(.created, fields: [.location: "/api/keys/\(key.id)"]) { writer in
                key.writeMembers(to: &writer)
                writer.member("key") { writer in text.withBytes { writer.string(String(decoding: $0, as: UTF8.self)) } }
            })
    }

    func read(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let key = try await book.key(context.pathID(), of: principal.userID)
        return .response(.json { key.writeMembers(to: &$0) })
    }

    func revoke(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        try await book.revoke(context.pathID(), of: principal.userID, from: context.auditOrigin)
        return .response(Response(status: .noContent))
    }
}
