import PlaygroundCore
import TestSupport
import Testing

@testable import RateLimit

@Suite("The limit that an API key has of its own")
struct KeyLimiterTests {
    /// A key in the database, and replicas that limit it.
    struct Scene {
        let database: SchemaDatabase
        let principal: Principal
        let replicas: [StoreOnLoop<KeyLimiter>]

        init(replicas count: Int = 1, perMinute: Int? = 6) async throws {
            var replicas: [StoreOnLoop<KeyLimiter>] = []
            let first = try await StoreOnLoop { KeyLimiter(database: $0) }
            replicas.append(first)
            for _ in 1..<max(count, 1) { replicas.append(try await StoreOnLoop(first.database) { KeyLimiter(database: $0) }) }
            self.replicas = replicas
            database = first.database
            let user = try database.makeUser()
            let id = APIKeyID(randomUUID())
            let limit = perMinute.map { "\($0)" } ?? "null"
            try database.run(
                """
                insert into api_keys (id, user_id, name, scopes, token_hash, requests_per_minute)
                values ('\(id)', '\(user)', 'n', '{complete}', sha256('x'), \(limit));
                create table clock (at timestamptz); insert into clock values (now());
                grant select on clock to public;
                create or replace function limits_clock() returns timestamptz language sql volatile as 'select at from clock';
                """)
            let grant = APIKeyGrant(id: id, scopes: [.complete], isLimited: perMinute != nil)
            principal = Principal(userID: user, sessionID: nil, purpose: .key(grant))
        }

        func pass(_ milliseconds: Int) throws {
            try database.run("update clock set at = at + interval '\(milliseconds) milliseconds'")
        }

        /// The refusal; nil where a request was taken.
        func take(_ replica: Int = 0) async throws -> ServiceError? {
            let principal = principal
            return try await replicas[replica].on { try await $0.take(principal)?.0 }
        }
    }

    @Test("is one minute's worth at once and no more, however many replicas are asked at the same time")
    func exact() async throws {
        let scene = try await Scene(replicas: 3)
        let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<60 { group.addTask { try await scene.take(number % 3) == nil } }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 6)
    }

    @Test("says how long to wait, and who waits so long gets one; a refusal changes nothing")
    func waiting() async throws {
        let scene = try await Scene()
        for _ in 0..<6 { #expect(try await scene.take() == nil) }
        let before = try scene.database.run("select xmin, k::text from api_keys k").joined().compactMap(\.self)
        let refusal = try #require(try await scene.take())
        #expect(refusal.code == .rateLimitExceeded && refusal.retryAfter == .seconds(10))
        #expect(try scene.database.run("select xmin, k::text from api_keys k").joined().compactMap(\.self) == before)
        try scene.pass(9_999)
        #expect(try await scene.take()?.retryAfter == .milliseconds(1))
        try scene.pass(1)
        #expect(try await scene.take() == nil)
        #expect(try await scene.take()?.code == .rateLimitExceeded)
        try scene.pass(600_000)
        for _ in 0..<6 { #expect(try await scene.take() == nil) }
        #expect(try await scene.take() != nil)
        try scene.pass(-60_000)
        #expect(try await scene.take() != nil, "a clock that steps back gives nothing")
    }

    @Test("gets back what was not admitted, and never more than it holds")
    func givingBack() async throws {
        let scene = try await Scene()
        let principal = scene.principal
        for _ in 0..<6 { #expect(try await scene.take() == nil) }
        try await scene.replicas[0].on { await $0.giveBack(principal) }
        #expect(try await scene.take() == nil)
        #expect(try await scene.take() != nil)
        for _ in 0..<20 { try await scene.replicas[0].on { await $0.giveBack(principal) } }
        var taken = 0
        while try await scene.take() == nil { taken += 1 }
        #expect(taken == 6)
    }

    @Test("concerns only keys that have one, and a key that was revoked is refused")
    func others() async throws {
        let scene = try await Scene(perMinute: nil)
        for _ in 0..<20 { #expect(try await scene.take() == nil) }
        let person = Principal(userID: scene.principal.userID, sessionID: SessionID(randomUUID()), purpose: .access)
        #expect(try await scene.replicas[0].on { try await $0.take(person)?.0 } == nil)

        let gone = try await Scene()
        try gone.database.run("delete from api_keys")
        await #expect(throws: ServiceError(.tokenInvalid)) { try await gone.take() }
    }
}
