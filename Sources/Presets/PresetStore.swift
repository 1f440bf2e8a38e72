package import PlaygroundCore
package import Postgres
import StrictJSON

/// One loop's way to the presets. Every call names the owner, and what belongs to somebody else is answered like what does not
/// exist, with the same error.
///
/// Beside the errors each call names, all throw `database_unavailable` where the database does not answer.
package final class PresetStore {
    /// A page ends before it exceeds this many bytes of JSON, unless its first preset alone does.
    private static let pageBytes = 512 * 1024 - 256
    private let database: PostgresClient

    package init(database: PostgresClient) {
        self.database = database
    }

    /// Saves a new preset under an id that was chosen for it, so that a preset under it is this one, from an attempt whose end
    /// nobody learnt: that is answered as it was created, whatever became of it since. Throws `preset_limit_reached`.
    package func createOnce(_ draft: PresetDraft, id: PresetID, of owner: UserID) async throws(ServiceError) -> Preset {
        do throws(ServiceError) {
            return try await create(draft, id: id, of: owner)
        } catch {
            guard error.code == .versionConflict else { throw error }
            let made = try await preset(id, of: owner).createdAt
            return Preset(
                id: id, name: draft.name, prompt: draft.prompt, params: draft.params, version: 1, createdAt: made,
                updatedAt: made)
        }
    }

    /// Saves a new preset under the client's own id. Throws `version_conflict` where the owner has one under
    /// this id, `preset_limit_reached` where there is no room.
    package func create(_ draft: PresetDraft, id: PresetID, of owner: UserID) async throws(ServiceError) -> Preset {
        let row: PostgresResult
        do throws(PostgresError) {
            row = try await database.execute(
                PresetStatements.create,
                [
                    .uuid(owner.uuid), .uuid(id.uuid), .text(draft.name), .text(draft.prompt), .text(draft.params),
                    .int(PresetDraft.Limits.presets),
                ], tenant: owner)
        } catch {
            if error.state == .uniqueViolation { throw Self.exists }
            throw error.serviceError
        }
        if let preset = try Self.saved(draft, id: id, row) { return preset }
        if try Self.flag(row, 3) { throw Self.exists }
        guard try Self.flag(row, 4) else { throw ServiceError(.tokenInvalid, cause: "no such user") }
        throw ServiceError(.presetLimitReached, "There are \(PresetDraft.Limits.presets) presets, the most that can be saved")
    }

    /// One preset; throws `not_found`.
    ///
    /// - Parameter deadline: how long to wait for the database.
    package func preset(
        _ id: PresetID, of owner: UserID, deadline: Duration = PostgresClient.deadline
    ) async throws(ServiceError) -> Preset {
        let result = try await execute(PresetStatements.get, [.uuid(owner.uuid), .uuid(id.uuid)], of: owner, deadline: deadline)
        if result.isEmpty { throw Self.missing }
        return try Self.preset(result, 0)
    }

    /// A page of the owner's presets, newest first; throws `invalid_cursor` where the cursor is no moment.
    package func page(_ request: PageRequest, of owner: UserID) async throws(ServiceError) -> Page<Preset> {
        if let moment = request.cursor?.createdAt.microseconds, !Cursor.moments.contains(moment) {
            throw ServiceError(.invalidCursor)
        }
        let values: [PostgresValue] = [
            .uuid(owner.uuid), .int(request.limit), .int(request.cursor?.createdAt.microseconds), .uuid(request.cursor?.id),
            .int(Self.pageBytes),
        ]
        let result = try await execute(PresetStatements.page, values, of: owner, lane: .slow)
        var presets: [Preset] = []
        var bytes = 0
        for row in result.rows {
            let preset = try Self.preset(result, row)
            // Escapes make the JSON longer than what the database has counted.
            bytes += preset.jsonBytes.count + 1
            if bytes > Self.pageBytes, !presets.isEmpty { break }
            presets.append(preset)
        }
        guard let last = presets.last else { return Page(items: [], next: nil) }
        let found = try Self.decoding { () throws(PostgresError) in try result.int(0, 7) }
        let next = found > presets.count ? Cursor(createdAt: last.createdAt, id: last.id.uuid) : nil
        return Page(items: presets, next: next)
    }

    /// Replaces the whole preset. Throws `version_conflict` unless `version` is its version, `not_found`.
    package func replace(
        _ id: PresetID, of owner: UserID, with draft: PresetDraft, version: Int64
    ) async throws(ServiceError) -> Preset {
        let values: [PostgresValue] = [
            .uuid(owner.uuid), .uuid(id.uuid), .int(version), .text(draft.name), .text(draft.prompt), .text(draft.params),
        ]
        let row = try await execute(PresetStatements.replace, values, of: owner)
        if let preset = try Self.saved(draft, id: id, row) { return preset }
        throw try Self.flag(row, 3) ? Self.changed : Self.missing
    }

    /// Changes what the patch names. Throws `version_conflict` unless `version` is its version, `not_found`, and what is wrong
    /// with the fields.
    package func patch(
        _ id: PresetID, of owner: UserID, with patch: PresetPatch, version: Int64, models: ModelPolicy
    ) async throws(ServiceError) -> Preset {
        let current = try await preset(id, of: owner)
        guard current.version == version else { throw Self.changed }
        return try await replace(id, of: owner, with: patch.applied(to: current, models: models), version: version)
    }

    /// Removes a preset; with a version, only that one. Throws `version_conflict`, `not_found`.
    package func delete(_ id: PresetID, of owner: UserID, version: Int64? = nil) async throws(ServiceError) {
        let row = try await execute(PresetStatements.delete, [.uuid(owner.uuid), .uuid(id.uuid), .int(version)], of: owner)
        if try Self.flag(row, 0) { return }
        throw try Self.flag(row, 1) && version != nil ? Self.changed : Self.missing
    }

    private func execute(
        _ statement: PostgresStatement, _ values: [PostgresValue], of owner: UserID, lane: PostgresClient.Lane = .hot,
        deadline: Duration = PostgresClient.deadline
    ) async throws(ServiceError) -> PostgresResult {
        do throws(PostgresError) {
            return try await database.execute(statement, values, tenant: owner, lane: lane, deadline: deadline)
        } catch {
            throw error.serviceError
        }
    }

    private static let missing = ServiceError(.notFound, "There is no such preset")
    private static let changed = ServiceError(.versionConflict)
    private static let exists = ServiceError(.versionConflict, "There is a preset under this id already")

    private static func preset(_ result: PostgresResult, _ row: Int) throws(ServiceError) -> Preset {
        try decoding { () throws(PostgresError) in
            Preset(
                id: PresetID(try result.uuid(row, 0)), name: try result.string(row, 1), prompt: try result.string(row, 2),
                params: try result.string(row, 3), version: try result.int(row, 4),
                createdAt: Timestamp(microseconds: try result.int(row, 5)),
                updatedAt: Timestamp(microseconds: try result.int(row, 6)))
        }
    }

    /// The preset that a statement has written; nil where it has written none.
    private static func saved(_ draft: PresetDraft, id: PresetID, _ row: PostgresResult) throws(ServiceError) -> Preset? {
        try decoding { () throws(PostgresError) in
            guard let version = try row.intIfPresent(0, 0) else { return nil }
            return Preset(
                id: id, name: draft.name, prompt: draft.prompt, params: draft.params, version: version,
                createdAt: Timestamp(microseconds: try row.int(0, 1)), updatedAt: Timestamp(microseconds: try row.int(0, 2)))
        }
    }

    private static func flag(_ result: PostgresResult, _ column: Int) throws(ServiceError) -> Bool {
        try decoding { () throws(PostgresError) in try result.bool(0, column) }
    }

    private static func decoding<Value>(_ body: () throws(PostgresError) -> Value) throws(ServiceError) -> Value {
        do throws(PostgresError) {
            return try body()
        } catch {
            throw error.serviceError
        }
    }
}
