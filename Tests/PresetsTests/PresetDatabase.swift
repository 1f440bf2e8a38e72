import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import Presets

/// A database with the schema, and a store on a loop of its own.
final class PresetDatabase: Sendable {
    private let server: PostgresServer
    private let conninfo: String
    private let loop: EventLoop
    private let store: LoopBound<PresetStore>
    private let client: LoopBound<PostgresClient>

    init() async throws {
        server = try .shared()
        conninfo = try server.freshDatabase()
        let directory = URL(filePath: #filePath).appending(path: "../../../Migrations").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }.sorted()
        for file in files {
            try server.run(try String(contentsOf: directory.appending(path: file), encoding: .utf8), in: conninfo)
        }
        let loop = EventLoop(name: "presets")
        loop.start()
        self.loop = loop
        let configuration = try PostgresConfiguration(conninfo)
        (store, client) = try await loop.run { loop in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
            return (LoopBound(PresetStore(database: client), on: loop), LoopBound(client, on: loop))
        }
    }

    deinit {
        loop.spawn { [client] loop in
            await client.value(on: loop).close()
            loop.stop()
        }
    }

    private func onStore<Result: Sendable>(
        _ body: @escaping @Sendable (PresetStore) async throws -> Result
    ) async throws -> Result {
        let store = store
        return try await loop.run { loop in try await body(store.value(on: loop)) }
    }

    func create(_ draft: PresetDraft, _ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await onStore { try await $0.create(draft, id: id, of: owner) }
    }

    func createOnce(_ draft: PresetDraft, _ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await onStore { try await $0.createOnce(draft, id: id, of: owner) }
    }

    func get(_ id: PresetID, _ owner: UserID) async throws -> Preset {
        try await onStore { try await $0.preset(id, of: owner) }
    }

    func page(_ request: PageRequest, _ owner: UserID) async throws -> Page<Preset> {
        try await onStore { try await $0.page(request, of: owner) }
    }

    func replace(_ id: PresetID, _ owner: UserID, _ draft: PresetDraft, _ version: Int64) async throws -> Preset {
        try await onStore { try await $0.replace(id, of: owner, with: draft, version: version) }
    }

    func patch(_ id: PresetID, _ owner: UserID, _ patch: PresetPatch, _ version: Int64) async throws -> Preset {
        let models = ModelPolicy(defaultModel: "m", allowed: nil)
        return try await onStore { try await $0.patch(id, of: owner, with: patch, version: version, models: models) }
    }

    func delete(_ id: PresetID, _ owner: UserID, _ version: Int64? = nil) async throws {
        try await onStore { try await $0.delete(id, of: owner, version: version) }
    }

    func makeUser() throws -> UserID {
        let user = UserID(randomUUID())
        try server.run("insert into users (id, email) values ('\(user)', '\(user)@example.com')", in: conninfo)
        return user
    }

    /// Saves presets behind the store's back; each ten have the same moment.
    func fill(_ owner: UserID, _ count: Int) throws {
        try server.run(
            """
            insert into presets (owner_id, id, name, prompt, params, created_at)
            select '\(owner)', gen_random_uuid(), 'n' || i, 'p', '{}', now() - i / 10 * interval '1.5 seconds'
            from generate_series(1, \(count)) i;
            update users set preset_count = \(count) where id = '\(owner)'
            """, in: conninfo)
    }

    /// How many presets an owner has, which the owner's row has to say as well.
    func count(of owner: UserID) throws -> Int? {
        let rows = try server.run(
            """
            select count(*), (select preset_count from users where id = '\(owner)') from presets where owner_id = '\(owner)'
            """, in: conninfo)
        guard let row = rows.first, row.count == 2, row[0] == row[1] else { return nil }
        return row[0].flatMap { Int($0) }
    }
}

func randomUUID() -> UUIDBytes {
    let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
    return .v7(milliseconds: milliseconds, random: (.random(in: 0...UInt64.max), .random(in: 0...UInt64.max)))
}
