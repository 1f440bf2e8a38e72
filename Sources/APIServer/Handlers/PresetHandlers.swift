import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import Presets
import StrictJSON

/// Presets over HTTP: bodies and preconditions in, presets with their entity tags out.
final class PresetHandlers {
    private let store: PresetStore
    private let models: ModelPolicy
    private let ids: IDSource

    init(store: PresetStore, models: ModelPolicy, ids: IDSource) {
        self.store = store
        self.models = models
        self.ids = ids
    }

    func list(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        try context.onlyQuery("limit", "cursor")
        let request = try PageRequest(limit: context.query("limit"), cursor: context.query("cursor"))
        let page = try await store.page(request, of: principal.userID)
        return .response(
            .json { writer in
                writer.member("data", page.items)
                writer.member("next_cursor") { writer in
                    if let next = page.next { writer.string(next.description) } else { writer.null() }
                }
            })
    }

    func create(_ context: RequestContext, _ principal: Principal) async throws -> Response {
        let body = try await context.json()
        let draft = try PresetDraft.parse(body: body.span, models: models)
        return answer(try await store.createOnce(draft, id: context.newID(ids), of: principal.userID), .created)
    }

    func read(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        .response(answer(try await store.preset(context.pathID(), of: principal.userID)))
    }

    /// Replaces the version that the client has seen, or creates under the client's own id.
    func replace(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let id: PresetID = try context.pathID()
        let precondition = try Precondition(context)
        let body = try await context.json()
        let draft = try PresetDraft.parse(body: body.span, models: models)
        if precondition == .mustNotExist {
            return .response(answer(try await store.create(draft, id: id, of: principal.userID), .created))
        }
        let version = try precondition.version(orInBody: draft.version)
        return .response(answer(try await store.replace(id, of: principal.userID, with: draft, version: version)))
    }

    func patch(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let id: PresetID = try context.pathID()
        let precondition = try Precondition(context)
        let body = try await context.json()
        let patch = try PresetPatch.parse(body: body.span)
        let version = try precondition.version(orInBody: patch.version)
        return .response(
            answer(try await store.patch(id, of: principal.userID, with: patch, version: version, models: models)))
    }

    func delete(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let id: PresetID = try context.pathID()
        try await store.delete(id, of: principal.userID, version: Precondition(context).seenVersion)
        return .response(Response(status: .noContent))
    }

    private func answer(_ preset: Preset, _ status: HTTPResponse.Status = .ok) -> Response {
        var fields: ResponseFields = [.eTag: Precondition.entityTag(preset.version)]
        if status == .created { fields[.location] = "/api/presets/\(preset.id)" }
        return .json(status, fields: fields, bytes: preset.jsonBytes)
    }
}

/// What a client says it has seen, in If-Match or If-None-Match (RFC 9110, 13.1).
enum Precondition: Equatable {
    case none
    case version(Int64)
    /// `If-None-Match: *`
    case mustNotExist

    /// - Throws: `invalid_header` for entity tags that this API did not give out.
    init(_ context: RequestContext) throws(ServiceError) {
        if let none = try context.single(.ifNoneMatch) {
            guard none == "*" else { throw ServiceError(.invalidHeader, "If-None-Match may only be `*`") }
            self = .mustNotExist
        } else if let match = try context.single(.ifMatch) {
            guard match.hasPrefix("\""), match.hasSuffix("\""), match.count > 2,
                let version = Int64(match.dropFirst().dropLast()), version > 0
            else { throw ServiceError(.invalidHeader, "If-Match has to be the ETag of the version that was seen") }
            self = .version(version)
        } else {
            self = .none
        }
    }

    var seenVersion: Int64? { if case .version(let version) = self { version } else { nil } }

    /// The version to change, from the header or else from the body.
    func version(orInBody body: Int64?) throws(ServiceError) -> Int64 {
        if self == .mustNotExist { throw ServiceError(.invalidHeader, "If-None-Match creates with PUT only") }
        if let seenVersion {
            if let body, body != seenVersion { throw ServiceError(.versionConflict, "If-Match and `version` differ") }
            return seenVersion
        }
        guard let body else {
            throw ServiceError(.versionRequired, "Send the version that was seen, as `version` or as If-Match")
        }
        return body
    }

    static func entityTag(_ version: Int64) -> String { "\"\(version)\"" }
}
