import PlaygroundCore
import TestSupport
import Testing

@testable import Idempotency

@Suite("Idempotency keys in PostgreSQL", .serialized)
struct IdempotencyStoreTests {
    static let answer = StoredAnswer(
        status: 201, fields: Array("Location: /things/1\r\n".utf8), body: Array(0...255) + Array("\\x\"".utf8))

    private let database: IdempotencyDatabase
    private let owner: UserID

    init() async throws {
        database = try await IdempotencyDatabase()
        owner = try database.makeUser()
    }

    private func code(_ request: IdempotentRequest) async -> ErrorCode? {
        do {
            _ = try await database.attempt(request)
            return nil
        } catch {
            return (error as? ServiceError)?.code
        }
    }

    @Test("the first attempt has the request for itself until it has answered; then its answer is given, to the byte")
    func answeredOnce() async throws {
        let request = try IdempotentRequest(owner)
        let attempt = AttemptID.new()
        let claim = try await database.claim(request, as: attempt)
        #expect(claim.resourceID == attempt.uuid)
        #expect(try await database.attempt(request) == .running)
        try await database.on { try await $0.complete(claim, with: Self.answer) }
        for _ in 0..<2 { #expect(try await database.attempt(request) == .answered(Self.answer)) }
        let empty = try IdempotentRequest(owner, "empty")
        let second = try await database.claim(empty)
        let nothing = StoredAnswer(status: 500, fields: [], body: [])
        try await database.on { try await $0.complete(second, with: nothing) }
        #expect(try await database.attempt(empty) == .answered(nothing))
    }

    @Test("of many attempts at one moment one has the request")
    func together() async throws {
        let request = try IdempotentRequest(owner)
        let standings = try await withThrowingTaskGroup { group in
            for _ in 0..<32 { group.addTask { try await database.attempt(request) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(standings.count { $0 == .running } == 31)
        #expect(standings.count { if case .claimed = $0 { true } else { false } } == 1)
        #expect(try database.count() == "1")
    }

    @Test("another body under the key is refused, while the first is at work and when it is answered")
    func otherBody() async throws {
        let other = try IdempotentRequest(owner, body: "{ }")
        let claim = try await database.claim(IdempotentRequest(owner))
        #expect(await code(other) == .idempotencyKeyReused)
        try await database.on { try await $0.complete(claim, with: Self.answer) }
        #expect(await code(other) == .idempotencyKeyReused)
        #expect(try await database.attempt(IdempotentRequest(owner)) == .answered(Self.answer))
    }

    @Test("keys are each user's own and each route's own, and differ by case")
    func independent() async throws {
        for request in [
            try IdempotentRequest(owner), try IdempotentRequest(database.makeUser(), body: "[]"),
            try IdempotentRequest(owner, route: "POST /others", body: "[]"), try IdempotentRequest(owner, "KEY", body: "[]"),
        ] {
            _ = try await database.claim(request)
        }
    }

    @Test(
        "whose attempt died is taken over when its lease is over, under the id that was to be created, and the dead one changes nothing"
    )
    func takenOver() async throws {
        let request = try IdempotentRequest(owner)
        let dead = try await database.claim(request)
        #expect(try await database.attempt(request) == .running)
        try database.endLease(of: request)
        let other = try IdempotentRequest(owner, body: "[]")
        #expect(await code(other) == .idempotencyKeyReused)
        let claim = try await database.claim(request)
        #expect(claim.resourceID == dead.resourceID && claim.attempt != dead.attempt)
        #expect(try await database.attempt(request) == .running)
        try await database.on { store in
            try await store.complete(dead, with: StoredAnswer(status: 500, fields: [], body: []))
            try await store.release(dead)
            try await store.forget(dead)
        }
        #expect(try await database.attempt(request) == .running)
        try await database.on { try await $0.complete(claim, with: Self.answer) }
        try await database.on { try await $0.forget(claim) }
        #expect(try await database.attempt(request) == .answered(Self.answer))
    }

    @Test("the lease is over after half a minute by the database's clock")
    func lease() async throws {
        let request = try IdempotentRequest(owner)
        _ = try await database.claim(request)
        func age(_ seconds: Int) throws {
            try database.run("update idempotency_keys set lease_ends_at = lease_ends_at - interval '\(seconds) s'")
        }
        try age(20)
        #expect(try await database.attempt(request) == .running)
        try age(11)
        _ = try await database.claim(request)
        #expect(try await database.attempt(request) == .running)
    }

    @Test("that was given up may be tried again at once, with the same body and under the same id")
    func released() async throws {
        let request = try IdempotentRequest(owner)
        let first = try await database.claim(request)
        try await database.on { try await $0.release(first) }
        let other = try IdempotentRequest(owner, body: "[]")
        #expect(await code(other) == .idempotencyKeyReused)
        #expect(try await database.claim(request).resourceID == first.resourceID)
    }

    @Test("whose request was refused is free for any body, unless an earlier attempt may have created something")
    func forgotten() async throws {
        let request = try IdempotentRequest(owner)
        let mended = try IdempotentRequest(owner, body: "[]")
        let refused = try await database.claim(request)
        try await database.on { try await $0.forget(refused) }
        #expect(try database.count() == "0")
        let dead = try await database.claim(mended)
        try database.endLease(of: mended)
        let second = try await database.claim(mended)
        try await database.on { try await $0.forget(second) }
        #expect(await code(request) == .idempotencyKeyReused)
        #expect(try await database.claim(mended).resourceID == dead.resourceID)
    }

    @Test("a user has at most 10,000 of them, is told when the oldest goes, and those that are there still work")
    func tooMany() async throws {
        try fill(9_999)
        let last = try await database.claim(IdempotentRequest(owner, "last"))
        try await database.on { try await $0.complete(last, with: Self.answer) }
        let (request, stranger) = (try IdempotentRequest(owner, "more"), try database.makeUser())
        let error = await #expect(throws: ServiceError.self) { try await database.attempt(request) }
        #expect(error?.code == .rateLimitExceeded && error?.retryable == true)
        // The oldest is an hour old.
        let wait = try #require(error?.retryAfter)
        #expect(wait > .seconds(24 * 3600 - 60) && wait <= .seconds(24 * 3600))
        #expect(try await database.attempt(IdempotentRequest(owner, "last")) == .answered(Self.answer))
        try database.run("update idempotency_keys set body_hash = sha256('{}') where key = '1'")
        _ = try await database.claim(IdempotentRequest(owner, "1"))
        _ = try await database.claim(IdempotentRequest(stranger, "more"))
        try database.run("delete from idempotency_keys where key = '2'")
        _ = try await database.claim(request)
    }

    @Test("a user's answers have 64 MiB together before no key is added")
    func tooLarge() async throws {
        try fill(64, answer: "decode(repeat('00', 1024 * 1024), 'hex')")
        #expect(await code(try IdempotentRequest(owner, "more")) == .rateLimitExceeded)
        try database.run("update idempotency_keys set body = 'x' where key = '1'")
        _ = try await database.claim(IdempotentRequest(owner, "more"))
    }

    /// Keys whose attempts are over, an hour old.
    private func fill(_ count: Int, answer: String = "null") throws {
        try database.run(
            """
            insert into idempotency_keys
                (user_id, route, key, body_hash, resource_id, attempt_id, lease_ends_at, body, created_at)
            select '\(owner)', 'POST /things', i, sha256('x'), gen_random_uuid(), gen_random_uuid(), now(), \(answer),
                now() - interval '1 hour'
            from generate_series(1, \(count)) i
            """)
    }

    @Test("are known for 25 hours and then cleared away, however many")
    func purged() async throws {
        try fill(2_500)
        try database.run("update idempotency_keys set created_at = now() - interval '25 hours 1 second'")
        let request = try IdempotentRequest(owner)
        let claim = try await database.claim(request)
        try await database.on { try await $0.complete(claim, with: Self.answer) }
        try database.run("update idempotency_keys set created_at = now() - interval '24 hours 59 minutes' where key = 'key'")
        try await database.on { try await $0.purge() }
        #expect(try database.count() == "1")
        #expect(try await database.attempt(request) == .answered(Self.answer))
        try database.run("update idempotency_keys set created_at = created_at - interval '1 minute'")
        try await database.on { try await $0.purge() }
        #expect(try database.count() == "0")
    }

    @Test("go with their user, who can then have none")
    func userGone() async throws {
        let request = try IdempotentRequest(owner)
        _ = try await database.claim(request)
        try database.run("delete from users where id = '\(owner)'")
        #expect(try database.count() == "0")
        #expect(await code(request) == .tokenInvalid)
    }
}
