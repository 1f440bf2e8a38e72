import EventLoop
import Foundation
import PlaygroundCore
import TestSupport
import Testing

@testable import Auth

@Suite("A user's sessions")
struct SessionBookTests {
    let database: SchemaDatabase
    let replica: Replica
    let user: User

    init() async throws {
        database = try SchemaDatabase()
        replica = try await Replica(database, keys: Samples.ring("k1"))
        user = try database.user()
    }

    func start(_ user: User? = nil, from origin: SessionOrigin = .unknown) async throws -> (id: SessionID, issued: IssuedSession)
    {
        let user = user ?? self.user
        let issued = try await replica.accounts { try await $0.startSession(of: user, from: origin) }
        return (try #require(RefreshTokenCodec(keys: replica.keys).read(issued.refreshToken)).session, issued)
    }

    func book<Value: Sendable>(_ body: @escaping @Sendable (SessionBook) async throws -> Value) async throws -> Value {
        let revoked = replica.revoked
        return try await replica.withDatabase { client in
            try await body(SessionBook(database: client, revoked: revoked, now: SystemClock.microseconds))
        }
    }

    func list(of user: User? = nil, _ request: PageRequest = PageRequest()) async throws -> [ListedSession] {
        let id = (user ?? self.user).id
        return try await book { try await $0.page(request, of: id).items }
    }

    @Test("are listed newest first, page by page, each once")
    func pages() async throws {
        var started: [SessionID] = []
        for _ in 0..<7 { started.append(try await start().id) }
        _ = try await start(try database.user("bob@example.org"))
        // Three of one microsecond: the id decides.
        try database.run(
            "update sessions set created_at = date_trunc('second', now()) where id in ('\(started[2])', '\(started[3])', '\(started[4])')"
        )
        var listed: [SessionID] = []
        var request: PageRequest? = PageRequest(limit: 2)
        var pages = 0
        while let next = request {
            let id = user.id
            let page = try await book { try await $0.page(next, of: id) }
            listed += page.items.map(\.id)
            pages += 1
            request = page.next.map { PageRequest(limit: 2, cursor: $0) }
        }
        let expected = try database.run("select id from sessions where user_id = '\(user.id)' order by created_at desc, id desc")
        #expect(listed.map { Optional($0.description) } == expected.map { $0[0] })
        #expect(pages == 4 && Set(listed) == Set(started))
        let id = user.id
        for moment in [Int64.min, -1, 253_402_300_800_000_000, .max] {
            let request = PageRequest(cursor: Cursor(createdAt: Timestamp(microseconds: moment), id: Samples.nonce))
            await #expect(throws: ServiceError(.invalidCursor)) { try await book { try await $0.page(request, of: id) } }
        }
    }

    @Test("say where they were last used from, as of the latest log-in or refresh that did something")
    func origins() async throws {
        let phone = SessionOrigin(userAgent: "okhttp/4 (Android)", address: "203.0.113.7")
        let home = SessionOrigin(userAgent: "curl/8", address: "2001:db8::17")
        let (id, first) = try await start(from: phone)
        let atLogin = try #require(try await list().first)
        #expect(atLogin.id == id && atLogin.device == "okhttp on Android" && atLogin.address == "203.0.113.7")
        #expect(atLogin.createdAt == atLogin.lastUsedAt)
        let second = try await replica.accounts { try await $0.refresh(first.refreshToken, from: home) }
        let renewed = try #require(try await list().first)
        #expect(renewed.device == "curl" && renewed.address == "2001:db8::17" && renewed.lastUsedAt > renewed.createdAt)
        // The lost answer again, something forged, and the end by a copy: none of them is a use.
        _ = try await replica.accounts { try await $0.refresh(first.refreshToken, from: phone) }
        let forged = try #require(
            RefreshTokenCodec(keys: Samples.ring("forger")).issue(
                RefreshGeneration(session: id, counter: 1, nonce: Samples.nonce), keyID: "forger"))
        #expect(try await replica.refusal(forged.text) == .tokenInvalid)
        #expect(try await list() == [renewed])
        _ = try await replica.refresh(second.refreshToken)
        let unknown = try #require(try await list().first)
        #expect(unknown.device == nil && unknown.address == nil)
    }

    @Test(
        "are not listed when they have ended: revoked, seven idle days ago, thirty days after the log-in",
        arguments: [
            ("revoked_at = now()", false), ("rotated_at = now() - interval '7 days'", false),
            ("rotated_at = now() - interval '6 days 23 hours'", true),
            ("created_at = now() - interval '30 days'", false), ("created_at = now() - interval '29 days 23 hours'", true),
        ])
    func ended(change: String, isListed: Bool) async throws {
        _ = try await start()
        try database.run("update sessions set \(change)")
        #expect(try await list().isEmpty != isListed)
    }

    @Test("end one by one or all but one, which no stranger can do")
    func ending() async throws {
        let stranger = try database.user("bob@example.org")
        let kept = try await start()
        let one = try await start()
        let others = [try await start(), try await start()]
        let foreign = try await start(stranger)
        let owner = user.id
        for (id, user) in [(one.id, stranger.id), (foreign.id, owner), (Samples.session, owner)] {
            let error = await #expect(throws: ServiceError.self) { try await book { try await $0.end(id, of: user) } }
            #expect(error == ServiceError(.notFound, "There is no such session"))
        }
        #expect(replica.revoked.count == 0)
        try await book { try await $0.end(one.id, of: owner) }
        #expect(replica.revoked.contains(one.id))
        #expect(try await replica.refusal(one.issued.refreshToken) == .sessionRevoked)
        await #expect(throws: ServiceError.self) { try await book { try await $0.end(one.id, of: owner) } }
        #expect(try await book { try await $0.endOthers(than: kept.id, of: owner) } == 2)
        #expect(try await book { try await $0.endOthers(than: kept.id, of: owner) } == 0)
        for other in others { #expect(replica.revoked.contains(other.id)) }
        #expect(try await list().map(\.id) == [kept.id])
        #expect(try await list(of: stranger).map(\.id) == [foreign.id])
        #expect(try await replica.refusal(kept.issued.refreshToken) == nil)
        #expect(try await book { try await $0.endOthers(than: nil, of: owner) } == 1)
    }
}

@Suite("Changing a password")
struct PasswordChangeTests {
    static let hasher = PasswordHasher()
    static let old = "a long enough passphrase"
    static let new = "quite another passphrase"

    let database: SchemaDatabase
    let replica: Replica
    let user: User

    init() async throws {
        database = try SchemaDatabase()
        replica = try await Replica(database, keys: Samples.ring("k1"), hasher: Self.hasher)
        user = try database.user("ann@example.org", hash: try await Self.hasher.hash(Self.old))
    }

    func passwords<Value: Sendable>(
        _ body: @escaping @Sendable (PasswordChange) async throws -> Value
    ) async throws -> Value {
        let revoked = replica.revoked
        return try await replica.withDatabase { client in
            try await body(
                PasswordChange(database: client, hasher: Self.hasher, revoked: revoked, now: SystemClock.microseconds))
        }
    }

    func login(_ password: String) async throws -> IssuedSession {
        try await replica.accounts { try await $0.login(email: EmailAddress(parsing: "ann@example.org"), password: password) }
    }

    @Test("takes the old one, makes the new one good, and ends the other sessions")
    func change() async throws {
        let (mine, other) = (try await login(Self.old), try await login(Self.old))
        let now = Int64(Date().timeIntervalSince1970)
        let principal = try AccessTokenCodec(keys: replica.keys).verify(mine.accessToken, now: now)
        try await passwords { passwords in
            let credentials = try await passwords.credentials(of: principal)
            #expect(credentials.email?.description == "ann@example.org")
            await #expect(throws: ServiceError(.invalidCredentials)) { try await passwords.prove(Self.new, credentials) }
            try await passwords.prove(Self.old, credentials)
            try await passwords.change(to: Self.new, credentials, by: principal)
            // Whoever saw the same old password in the meantime comes too late.
            await #expect(throws: ServiceError(.wrongPassword)) {
                try await passwords.change(to: Self.old, credentials, by: principal)
            }
        }
        #expect(try await replica.refusal(other.refreshToken) == .sessionRevoked)
        #expect(replica.revoked.count == 1)
        #expect(try await replica.refusal(mine.refreshToken) == nil)
        await #expect(throws: ServiceError(.invalidCredentials)) { try await login(Self.old) }
        _ = try await login(Self.new)
    }

    @Test("lets no log-in with the old one through that was under way")
    func race() async throws {
        let user = user
        let shown = try #require(try database.run("select password_hash from users")[0][0])
        _ = try await replica.accounts { try await $0.startSession(of: user, shown: shown) }
        try database.run("update users set password_hash = 'another'")
        await #expect(throws: ServiceError(.invalidCredentials)) {
            try await replica.accounts { try await $0.startSession(of: user, shown: shown) }
        }
        #expect(try database.run("select count(*) from sessions") == [["1"]])
    }

    @Test("is nothing for an account without a password, nor for a session that has ended")
    func refusals() async throws {
        let bare = try database.user("bare@example.org")
        let principal = Principal(userID: bare.id, sessionID: nil, purpose: .load)
        try await passwords { passwords in
            let credentials = try await passwords.credentials(of: principal)
            await #expect(throws: ServiceError(.invalidCredentials)) { try await passwords.prove("", credentials) }
        }
        for gone in [
            Principal(userID: Samples.user, sessionID: nil, purpose: .access),
            Principal(userID: user.id, sessionID: Samples.session, purpose: .access),
        ] {
            await #expect(throws: ServiceError(.sessionRevoked)) { try await passwords { try await $0.credentials(of: gone) } }
        }
    }
}
