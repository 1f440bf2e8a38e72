import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import Presets

typealias PresetDatabase = StoreOnLoop<PresetStore>

extension StoreOnLoop<PresetStore> {
    convenience init() async throws { try await self.init { PresetStore(database: $0) } }

    func create(_ draft: PresetDraft, _ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await on { try await $0.create(draft, id: id, of: owner) }
    }

    func createOnce(_ draft: PresetDraft, _ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await on { try await $0.createOnce(draft, id: id, of: owner) }
    }

    func get(_ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await on { try await $0.preset(id, of: owner) }
    }

    func page(_ request: PageRequest, _ owner: UserID) async throws -> Page<Preset> {
        try await on { try await $0.page(request, of: owner) }
    }

    func replace(_ id: PresetID, _ owner: UserID, _ draft: PresetDraft, _ version: Int64) async throws -> Preset {
        try await on { try await $0.replace(id, of: owner, with: draft, version: version) }
    }

    func patch(_ id: PresetID, _ owner: UserID, _ patch: PresetPatch, _ version: Int64) async throws -> Preset {
        let models = ModelPolicy(defaultModel: "m", allowed: nil)
        return try await on { try await $0.patch(id, of: owner, with: patch, version: version, models: models) }
    }

    func delete(_ id: PresetID, _ owner: UserID, _ version: Int64? = nil) async throws {
        try await on { try await $0.delete(id, of: owner, version: version) }
    }

    /// Saves presets behind the store's back; each ten have the same moment.
    func fill(_ owner: UserID, _ count: Int) throws {
        try database.run(
            """
            insert into presets (owner_id, id, name, prompt, params, created_at)
            select '\(owner)', gen_random_uuid(), 'n' || i, 'p', '{}', now() - i / 10 * interval '1.5 seconds'
            from generate_series(1, \(count)) i;
            update users set preset_count = \(count) where id = '\(owner)'
            """)
    }

    /// How many presets an owner has, which the owner's row has to say as well.
    func count(of owner: UserID) throws -> Int? {
        let rows = try database.run(
            """
            select count(*), (select preset_count from users where id = '\(owner)') from presets where owner_id = '\(owner)'
            """)
        guard let row = rows.first, row.count == 2, row[0] == row[1] else { return nil }
        return row[0].flatMap { Int($0) }
    }
}
