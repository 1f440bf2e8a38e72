import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import StrictJSON
import TestSupport
import Testing

@testable import Presets

@Suite("Presets in PostgreSQL", .serialized)
struct PresetStoreTests {
    private let database: PresetDatabase
    private let owner: UserID

    init() async throws {
        database = try await PresetDatabase()
        owner = try database.makeUser()
    }

    private func draft(
        _ name: String = "n", prompt: String = "p", params: String = #"{"temperature":1.50}"#
    ) -> PresetDraft {
        PresetDraft(name: name, prompt: prompt, params: params, version: nil)
    }

    private func code(_ body: () async throws -> some Any) async -> ErrorCode? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? ServiceError)?.code
        }
    }

    @Test("read back as they were saved")
    func roundTrip() async throws {
        let id = PresetID(randomUUID())
        let saved = try await database.create(draft("Märchen", prompt: "Es war\n\"einmal\" 🐸"), id, owner)
        #expect(saved.version == 1)
        #expect(saved.createdAt == saved.updatedAt)
        let read = try await database.get(id, owner)
        #expect(read == saved)
        #expect(read.params == #"{"temperature":1.50}"#)
        #expect(try read.parameters.temperature?.literal == "1.50")
        #expect(
            try JSONValue(parsing: read.jsonBytes).object?.keys
                == ["id", "name", "prompt", "params", "version", "created_at", "updated_at"])
    }

    @Test("under a client's own id are saved once, whether one request comes again or many come at once")
    func ownID() async throws {
        let id = PresetID(randomUUID())
        let codes = await withTaskGroup(of: ErrorCode?.self) { group in
            for _ in 0..<16 { group.addTask { await code { try await database.create(draft(), id, owner) } } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 1)
        #expect(codes.count { $0 == .versionConflict } == 15)
        #expect(await code { try await database.create(draft(), id, owner) } == .versionConflict)
        #expect(try database.count(of: owner) == 1)
    }

    @Test("that were saved by an attempt whose end nobody learnt are answered as they were created, also when changed since")
    func createdOnce() async throws {
        let id = PresetID(randomUUID())
        let made = try await database.createOnce(draft("first"), id, owner)
        #expect(try await database.createOnce(draft("first"), id, owner) == made)
        _ = try await database.replace(id, owner, draft("second"), 1)
        #expect(try await database.createOnce(draft("first"), id, owner) == made)
        #expect(try await database.get(id, owner).name == "second")
        #expect(try database.count(of: owner) == 1)
    }

    @Test("of two owners may have the same id, and neither sees the other's")
    func tenancy() async throws {
        let other = try database.makeUser()
        let id = PresetID(randomUUID())
        _ = try await database.create(draft("mine"), id, owner)
        _ = try await database.create(draft("theirs"), id, other)
        #expect(try await database.get(id, owner).name == "mine")
        #expect(try await database.get(id, other).name == "theirs")
        try await database.delete(id, other)
        #expect(try await database.get(id, owner).name == "mine")
        #expect(try database.count(of: other) == 0)
    }

    @Test("of somebody else answer every call exactly as missing ones do")
    func foreign() async throws {
        let other = try database.makeUser()
        let theirs = PresetID(randomUUID())
        _ = try await database.create(draft(), theirs, other)
        for version in [nil, 1, 2] as [Int64?] {
            var errors: [[ServiceError?]] = []
            for id in [theirs, PresetID(randomUUID())] {
                let patch = PresetPatch.named("x")
                errors.append([
                    await #expect(throws: ServiceError.self) { try await database.get(id, owner) },
                    await #expect(throws: ServiceError.self) { try await database.replace(id, owner, draft(), version ?? 1) },
                    await #expect(throws: ServiceError.self) { try await database.patch(id, owner, patch, version ?? 1) },
                    await #expect(throws: ServiceError.self) { try await database.delete(id, owner, version) },
                ])
            }
            #expect(errors[0] == errors[1])
            #expect(errors[0].allSatisfy { $0?.code == .notFound })
        }
        #expect(try await database.page(PageRequest(), owner).items.isEmpty)
        #expect(try await database.get(theirs, other).version == 1)
    }

    @Test("are replaced by who has seen the newest version, and by nobody else")
    func replacement() async throws {
        let id = PresetID(randomUUID())
        let saved = try await database.create(draft(), id, owner)
        let second = try await database.replace(id, owner, draft("second"), 1)
        #expect(second.version == 2)
        #expect(second.createdAt == saved.createdAt)
        #expect(second.updatedAt >= saved.updatedAt)
        #expect(await code { try await database.replace(id, owner, draft("late"), 1) } == .versionConflict)
        #expect(await code { try await database.replace(id, owner, draft("early"), 3) } == .versionConflict)
        #expect(try await database.get(id, owner) == second)
        let winners = await withTaskGroup(of: ErrorCode?.self) { group in
            for number in 0..<16 {
                group.addTask { await code { try await database.replace(id, owner, draft("\(number)"), 2) } }
            }
            return await group.reduce(into: 0) { $0 += $1 == nil ? 1 : 0 }
        }
        #expect(winners == 1)
        #expect(try await database.get(id, owner).version == 3)
    }

    @Test("are patched in part, by who has seen the newest version")
    func patch() async throws {
        let id = PresetID(randomUUID())
        _ = try await database.create(draft("old", prompt: "keep"), id, owner)
        let patched = try await database.patch(id, owner, .named("new"), 1)
        #expect((patched.name, patched.prompt, patched.params) == ("new", "keep", #"{"temperature":1.50}"#))
        #expect(try await database.get(id, owner) == patched)
        #expect(await code { try await database.patch(id, owner, .named(""), 1) } == .versionConflict)
        #expect(await code { try await database.patch(id, owner, .named(""), 2) } == .invalidRequest)
    }

    @Test("are deleted with any version, or only with the one that was seen")
    func deletion() async throws {
        let id = PresetID(randomUUID())
        _ = try await database.create(draft(), id, owner)
        #expect(await code { try await database.delete(id, owner, 2) } == .versionConflict)
        try await database.delete(id, owner, 1)
        #expect(await code { try await database.delete(id, owner) } == .notFound)
        #expect(await code { try await database.get(id, owner) } == .notFound)
        #expect(try database.count(of: owner) == 0)
        #expect(try await database.create(draft(), id, owner).version == 1)
    }

    @Test("are a thousand at most, exactly, under any concurrency; and a deleted one makes room")
    func limit() async throws {
        try database.fill(owner, 990)
        let last = PresetID(randomUUID())
        let codes = await withTaskGroup(of: ErrorCode?.self) { group in
            for number in 0..<40 {
                group.addTask {
                    await code { try await database.create(draft(), number == 0 ? last : PresetID(randomUUID()), owner) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 10)
        #expect(codes.count { $0 == .presetLimitReached } == 30)
        #expect(try database.count(of: owner) == 1_000)
        let present = try #require(try await database.page(PageRequest(limit: 1), owner).items.first).id
        #expect(await code { try await database.create(draft(), present, owner) } == .versionConflict)
        try await database.delete(present, owner)
        #expect(await code { try await database.create(draft(), PresetID(randomUUID()), owner) } == nil)
        #expect(try database.count(of: owner) == 1_000)
    }

    @Test("come newest first, each once, page after page, whatever is saved or deleted meanwhile")
    func paging() async throws {
        // Several have the same moment, so that the id has to decide.
        try database.fill(owner, 130)
        var request = PageRequest(limit: 20)
        var seen: [Preset] = []
        var pages = 0
        while pages < 20 {
            let page = try await database.page(request, owner)
            seen += page.items
            pages += 1
            if pages == 2 { _ = try await database.create(draft("late"), PresetID(randomUUID()), owner) }
            if pages == 3 { try await database.delete(try #require(page.items.last).id, owner) }
            guard let next = page.next else { break }
            let cursor: Cursor? = Cursor(next.description)
            #expect(cursor == next)
            request = PageRequest(limit: 20, cursor: cursor)
        }
        #expect(pages == 7)
        #expect(seen.count == 130)
        #expect(Set(seen.map(\.id)).count == 130)
        let sorted = seen.sorted { ($0.createdAt, $0.id.description) > ($1.createdAt, $1.id.description) }
        #expect(seen.map(\.id) == sorted.map(\.id))
    }

    @Test("have no next page when the last one is just full")
    func lastPage() async throws {
        try database.fill(owner, 40)
        let first = try await database.page(PageRequest(limit: 20), owner)
        let second = try await database.page(PageRequest(limit: 20, cursor: first.next), owner)
        #expect(second.items.count == 20)
        #expect(second.next == nil)
        #expect(try await database.page(PageRequest(), try database.makeUser()).next == nil)
    }

    @Test("make pages of at most 512 KiB, and of one preset where that alone is larger", arguments: ["x", "\n", "\u{1}"])
    func pageBytes(character: String) async throws {
        let prompt = String(repeating: character, count: 131_072)
        for number in 0..<6 { _ = try await database.create(draft("\(number)", prompt: prompt), PresetID(randomUUID()), owner) }
        var cursor: Cursor?
        var names: [String] = []
        repeat {
            let page = try await database.page(PageRequest(limit: 200, cursor: cursor), owner)
            let bytes = page.items.jsonBytes.count
            #expect(bytes <= 512 * 1024 || page.items.count == 1)
            names += page.items.map(\.name)
            cursor = page.next
        } while cursor != nil && names.count < 10
        #expect(names == ["5", "4", "3", "2", "1", "0"])
    }

    @Test("refuse a cursor whose moment no calendar has", arguments: [Int64.min, -1, 253_402_300_800_000_000, .max])
    func wildCursor(microseconds: Int64) async throws {
        let cursor = Cursor(createdAt: Timestamp(microseconds: microseconds), id: randomUUID())
        #expect(await code { try await database.page(PageRequest(cursor: cursor), owner) } == .invalidCursor)
    }

    @Test("of a user that does not exist cannot be saved")
    func noUser() async throws {
        #expect(await code { try await database.create(draft(), PresetID(randomUUID()), UserID(randomUUID())) } == .tokenInvalid)
    }
}

extension PresetPatch {
    /// A patch that renames.
    fileprivate static func named(_ name: String) -> PresetPatch {
        var object = JSONObject()
        object["name"] = .string(name)
        // A string is a body that can be read: only what it makes of a preset may be bad.
        return (try? parse(object)) ?? { preconditionFailure("a patch of one string") }()
    }
}
