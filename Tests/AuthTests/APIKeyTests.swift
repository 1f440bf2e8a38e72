import EventLoop
import Logging
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Auth

@Suite("API keys")
struct APIKeyTests {
    /// One process as far as keys go: a loop, and what its loops share.
    final class KeyReplica: Sendable {
        let loop = EventLoop(name: "keys")
        let revoked = RevokedSessions()
        private let parts: LoopBound<Parts>

        struct Parts {
            let book: APIKeyBook
            let verifier: APIKeyVerifier
            let audit: AuditLog
            let database: PostgresClient
        }

        init(_ database: SchemaDatabase) async throws {
            let configuration = try database.configuration()
            let revoked = revoked
            loop.start()
            parts = try await loop.run { loop in
                let logger = Replica.logger
                let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
                let audit = AuditLog(database: client, io: loop.io, logger: logger, account: { _ in nil }, lost: { _ in })
                return LoopBound(
                    Parts(
                        book: APIKeyBook(database: client, audit: audit, revoked: revoked, now: SystemClock.microseconds),
                        verifier: APIKeyVerifier(
                            database: client, cache: APIKeyCache(), revoked: revoked, io: loop.io, logger: logger),
                        audit: audit, database: client), on: loop)
            }
        }

        deinit { loop.stop() }

        func with<Value: Sendable>(_ body: @escaping @Sendable (Parts) async throws -> Value) async throws -> Value {
            let parts = parts
            return try await loop.run { loop in try await body(parts.value(on: loop)) }
        }

        /// Who calls with this key, whether or not the database has to be asked.
        func principal(_ text: String, from address: String = "192.0.2.1") async throws -> Principal {
            let key = try #require(APIKeyText(text))
            return try await with { parts in
                if let known = try parts.verifier.known(key) { return known }
                return try await parts.verifier.load(key, from: APIKeyTests.origin(address))
            }
        }

        func refusal(_ text: String, from address: String = "192.0.2.1") async throws -> ErrorCode? {
            do {
                _ = try await principal(text, from: address)
                return nil
            } catch let error as ServiceError {
                return error.code
            }
        }

        func create(_ draft: APIKeyDraft, of user: UserID) async throws -> (key: APIKey, text: String) {
            try await with { parts in
                let (key, text) = try await parts.book.create(draft, of: user, from: APIKeyTests.origin())
                return (key, text.withBytes { String(decoding: $0, as: UTF8.self) })
            }
        }
    }

    static func origin(_ address: String = "192.0.2.1") -> AuditOrigin {
        AuditOrigin(address: address, userAgent: nil, requestID: RequestID(UUIDBytes(high: 1, low: 2)))
    }

    static func draft(_ body: String = #"{"name":"n","scopes":["complete"]}"#) throws -> APIKeyDraft {
        try APIKeyDraft.parse(body: Array(body.utf8).span)
    }

    /// Has every look-up of a key leave a row in `lookups`.
    static func countLookups(_ database: SchemaDatabase) throws {
        try database.run(
            """
            create table lookups (at timestamptz);
            alter function find_api_key rename to find_quietly;
            create function find_api_key(key uuid) returns table (
                owner uuid, hash bytea, allowed text[], is_limited boolean, milliseconds_left bigint)
            language plpgsql security definer set search_path = public, pg_temp
            as $$ begin insert into lookups values (now()); perform pg_sleep(0.1); return query select * from find_quietly(key); end $$;
            grant execute on function find_api_key(uuid) to playground_app;
            """)
    }

    @Test("are made with name, scopes, limit and end, shown once, and nowhere to be found in the database")
    func creating() async throws {
        let database = try SchemaDatabase()
        let (user, other) = (try database.makeUser(), try database.makeUser())
        let replica = try await KeyReplica(database)
        let draft = try Self.draft(
            #"{"name":"Nightly","scopes":["usage:read","complete"],"requests_per_minute":5,"expires_at":"2035-01-01T00:00:00Z"}"#)
        let (key, text) = try await replica.create(draft, of: user)
        #expect(key.name == "Nightly" && key.scopes == [.usageRead, .complete] && key.requestsPerMinute == 5)
        #expect(key.expiresAt?.description == "2035-01-01T00:00:00.000Z" && key.lastUsedAt == nil)
        #expect(try await replica.with { try await $0.book.keys(of: user) } == [key])
        #expect(try await replica.with { try await $0.book.key(key.id, of: user) } == key)
        #expect(try await replica.with { try await $0.book.keys(of: other) }.isEmpty)
        await #expect(throws: ServiceError(.notFound, "There is no such key")) {
            try await replica.with { try await $0.book.key(key.id, of: other) }
        }
        await #expect(throws: ServiceError(.notFound, "There is no such key")) {
            try await replica.with { try await $0.book.revoke(key.id, of: other, from: Self.origin()) }
        }
        let dump = try database.run("select k::text from api_keys k union all select e::text from audit_events e").joined()
        #expect(!dump.contains { $0?.contains(text.dropFirst(26)) == true })
        #expect(try database.value("select token_hash = sha256('\(text)') from api_keys") == "t")
        let principal = try await replica.principal(text)
        #expect(principal.userID == user && principal.sessionID == nil)
        #expect(principal.key == APIKeyGrant(id: key.id, scopes: [.usageRead, .complete], isLimited: true))
        #expect(
            try database.run("select kind, detail, actor_id from audit_events") == [
                ["api_key_created", "key \(key.id)", "\(user)"]
            ])
    }

    @Test(
        "name every field that cannot be used",
        arguments: [
            (#"{}"#, ["name", "scopes"]), (#"{"name":"","scopes":[]}"#, ["name", "scopes"]),
            (#"{"name":"n","scopes":["complete","complete"]}"#, ["scopes"]),
            (#"{"name":"n","scopes":["everything"]}"#, ["scopes"]),
            (#"{"name":"n","scopes":["complete"],"requests_per_minute":0}"#, ["requests_per_minute"]),
            (#"{"name":"n","scopes":["complete"],"expires_at":"tomorrow"}"#, ["expires_at"]),
            (#"{"name":"n","scopes":["complete"],"key":"pgk_mine"}"#, ["key"]),
        ])
    func drafts(body: String, params: [String]) throws {
        do {
            _ = try Self.draft(body)
            Issue.record("taken: \(body)")
        } catch let error as ServiceError {
            #expect(error.errors.map(\.param) == params)
        }
    }

    @Test(
        "are fifty for a user at most and a hundred a day, however many ask at once; and end within ten years, not before they begin"
    )
    func limits() async throws {
        let database = try SchemaDatabase()
        let user = try database.makeUser()
        let replica = try await KeyReplica(database)
        for moment in ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
            let draft = try Self.draft(#"{"name":"n","scopes":["complete"],"expires_at":"\#(moment)"}"#)
            await #expect(throws: ServiceError.self) { try await replica.create(draft, of: user) }
        }
        @Sendable func make() async throws -> ErrorCode? {
            do {
                _ = try await replica.create(Self.draft(), of: user)
                return nil
            } catch let error as ServiceError {
                return error.code
            }
        }
        let made = try await withThrowingTaskGroup(of: ErrorCode?.self) { group in
            for _ in 0..<60 { group.addTask { try await make() } }
            return try await group.reduce(into: [ErrorCode?]()) { $0.append($1) }
        }
        #expect(made.count { $0 == nil } == 50 && made.count { $0 == .keyLimitReached } == 10)
        try database.run("delete from api_keys")
        for _ in 0..<50 { #expect(try await make() == nil) }
        try database.run("delete from api_keys where id in (select id from api_keys limit 1)")
        #expect(try await make() == .keyLimitReached, "a hundred a day")
        #expect(try database.value("select count(*) from audit_events") == "100")
        await #expect(throws: ServiceError(.sessionRevoked)) { try await replica.create(Self.draft(), of: Samples.user) }
    }

    @Test("are looked up once by a process, whoever asks at the same time; wrong ones and other secrets too")
    func lookups() async throws {
        let database = try SchemaDatabase()
        let user = try database.makeUser()
        let replica = try await KeyReplica(database)
        let text = try await replica.create(Self.draft(), of: user).text
        try Self.countLookups(database)
        let answers = try await withThrowingTaskGroup(of: Principal.self) { group in
            for _ in 0..<50 { group.addTask { try await replica.principal(text) } }
            return try await group.reduce(into: [Principal]()) { $0.append($1) }
        }
        #expect(answers.count == 50 && Set(answers.map(\.userID)) == [user])
        #expect(try database.value("select count(*) from lookups") == "1")
        // Another secret under an id that is known asks nobody.
        let forged = try APIKeyText.make(id: #require(answers.first?.key?.id)).text
        #expect(try await replica.refusal(forged.withBytes { String(decoding: $0, as: UTF8.self) }) == .tokenInvalid)
        let stranger = try APIKeyTextTests.make().text
        for _ in 0..<3 { #expect(try await replica.refusal(stranger) == .tokenInvalid) }
        #expect(try database.value("select count(*) from lookups") == "2")
    }

    @Test("that are none let nobody ask the database as often as they like, and keep nobody else out")
    func strangers() async throws {
        let database = try SchemaDatabase()
        let user = try database.makeUser()
        let replica = try await KeyReplica(database)
        let text = try await replica.create(Self.draft(), of: user).text
        var refusals: [ErrorCode?] = []
        for _ in 0..<40 {
            let id = APIKeyID(try SecureRandom.uuid())
            refusals.append(
                try await replica.refusal(APIKeyTextTests.make(id).text, from: "2001:db8::\(UInt8.random(in: 1...99))"))
        }
        #expect(refusals.prefix(20).allSatisfy { $0 == .tokenInvalid })
        #expect((15...20).contains(refusals.count { $0 == .tooManyAttempts }))
        #expect(try await replica.refusal(text, from: "2001:db8:0:100::1") == nil)
        #expect(try await replica.refusal(text, from: "2001:db8::1") == nil, "what is known is known")
    }

    @Test("that are revoked, expired, of a disabled or of a deleted account are good for nothing, and told to all replicas")
    func endings() async throws {
        let database = try SchemaDatabase()
        let replica = try await KeyReplica(database)
        for ending in ["revoked", "expired", "disabled", "deleted"] {
            let user = try database.makeUser()
            let (key, text) = try await replica.create(Self.draft(), of: user)
            switch ending {
            case "revoked":
                _ = try await replica.principal(text)
                try await replica.with { try await $0.book.revoke(key.id, of: user, from: Self.origin()) }
                await #expect(throws: ServiceError.self) {
                    try await replica.with { try await $0.book.revoke(key.id, of: user, from: Self.origin()) }
                }
            case "expired": try database.run("update api_keys set expires_at = now() where id = '\(key.id)'")
            case "disabled": try database.run("update users set disabled_at = now() where id = '\(user)'")
            default: try database.run("delete from users where id = '\(user)'")
            }
            #expect(try await replica.refusal(text) == .tokenInvalid, "\(ending)")
            let isTold = try database.value("select count(*) from recently_revoked(60, 100) where session = '\(key.id)'") == "1"
            #expect(isTold == (ending != "expired"), "\(ending)")
        }
        try database.run("update users set disabled_at = null")
        #expect(try database.value("select count(*) from api_keys where expires_at is null") == "0", "what has ended has ended")
        #expect(try database.value("select count(*) from audit_events where kind = 'api_key_revoked'") == "1")
    }

    @Test("have their last use noted, not more often than once a minute")
    func lastUse() async throws {
        let database = try SchemaDatabase()
        let user = try database.makeUser()
        let replica = try await KeyReplica(database)
        let (key, text) = try await replica.create(Self.draft(), of: user)
        _ = try await replica.principal(text)
        _ = try await replica.principal(text)
        try await replica.with { await $0.verifier.close() }
        let used = try #require(try await replica.with { try await $0.book.key(key.id, of: user) }.lastUsedAt)
        #expect(abs(used.microseconds - SystemClock.microseconds()) < 30_000_000)
        _ = try await replica.principal(text)
        try await replica.with { await $0.verifier.close() }
        #expect(try await replica.with { try await $0.book.key(key.id, of: user) }.lastUsedAt == used)
        try database.run("update api_keys set last_used_at = now() - interval '61 seconds'")
        _ = try await replica.principal(text)
        try await replica.with { await $0.verifier.close() }
        #expect(try await replica.with { try await $0.book.key(key.id, of: user) }.lastUsedAt ?? used > used)
    }
}
