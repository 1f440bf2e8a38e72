import Foundation
import PlaygroundCore
import Synchronization
import TestSupport
import Testing

@testable import Auth

@Suite("The set of revoked sessions")
struct RevokedSessionsTests {
    func session(_ number: UInt64) -> SessionID { SessionID(UUIDBytes(high: number, low: 0)) }

    @Test("remembers for as long as an access token may live, and no longer")
    func memory() {
        let revoked = RevokedSessions()
        revoked.insert(session(1), age: 0, now: Samples.now)
        revoked.insert(session(2), age: 900, now: Samples.now)
        revoked.insert(session(3), age: RevokedSessions.memory, now: Samples.now)
        #expect(revoked.contains(session(1)) && revoked.contains(session(2)) && !revoked.contains(session(3)))
        revoked.insert(session(4), age: 0, now: Samples.now + 91)
        #expect(revoked.contains(session(1)) && !revoked.contains(session(2)))
        revoked.insert(session(5), age: 0, now: Samples.now + 931)
        #expect(revoked.contains(session(1)))
        revoked.insert(session(6), age: 0, now: Samples.now + RevokedSessions.memory + 10)
        #expect(!revoked.contains(session(1)) && revoked.contains(session(5)))
    }

    @Test("tells its observers of each session once")
    func observers() {
        let revoked = RevokedSessions()
        let seen = Mutex<[SessionID]>([])
        revoked.observe { id in seen.withLock { $0.append(id) } }
        revoked.observe { id in seen.withLock { $0.append(id) } }
        for number in [UInt64(1), 2, 1, 2, 1] { revoked.insert(session(number), age: 0, now: Samples.now) }
        #expect(seen.withLock(\.self) == [session(1), session(1), session(2), session(2)])
    }

    @Test("is bounded, and forgets first what is over first")
    func bound() {
        let revoked = RevokedSessions(capacity: 100)
        for number in 0..<1_000 {
            revoked.insert(session(UInt64(number)), age: Int64(900 - number % 900), now: Samples.now)
            #expect(revoked.count <= 100)
        }
        #expect(revoked.contains(session(899)))
    }
}

@Suite("Revocation over replicas")
struct RevocationFeedTests {
    @Test("reaches every replica within a second, and is known to one that starts later")
    func reaches() async throws {
        let database = try SchemaDatabase()
        let user = try database.user()
        let first = try await Replica(database, keys: Samples.ring("k1"))
        let second = try await Replica(database, keys: Samples.ring("k1"))
        let feed = try await second.startFeed()
        try await becomesTrue { second.revoked.isLoaded }
        #expect(!first.revoked.isLoaded)

        var delays: [Duration] = []
        for _ in 0..<10 {
            let session = try await first.accounts { try await $0.startSession(of: user) }
            let id = try #require(RefreshTokenCodec(keys: first.keys).read(session.refreshToken)).session
            let started = ContinuousClock.now
            try await first.accounts { try await $0.logout(session.accessToken) }
            #expect(first.revoked.contains(id))
            try await becomesTrue { second.revoked.contains(id) }
            delays.append(ContinuousClock.now - started)
        }
        // The median: one pause of a busy machine says nothing about the way the news takes.
        #expect(delays.sorted()[delays.count / 2] < .seconds(1))
        try await second.stop(feed)

        let third = try await Replica(database, keys: Samples.ring("k1"))
        let late = try await third.startFeed()
        try await becomesTrue { third.revoked.isLoaded }
        #expect(third.revoked.count == 10)
        try await third.stop(late)
    }

    @Test("is found by the poll when no notification comes, and tells observers, who end what runs")
    func poll() async throws {
        let database = try SchemaDatabase()
        let user = try database.user()
        let replica = try await Replica(database, keys: Samples.ring("k1"))
        let told = Mutex(0)
        replica.revoked.observe { _ in told.withLock { $0 += 1 } }
        let feed = try await replica.startFeed()
        try await becomesTrue { replica.revoked.isLoaded }
        _ = try await replica.accounts { try await $0.startSession(of: user) }
        try database.run("update sessions set revoked_at = now()")
        try await becomesTrue { told.withLock { $0 == 1 } }
        #expect(replica.revoked.count == 1)
        try await replica.stop(feed)
    }
}

@Suite("Authenticating a request")
struct AuthenticatorTests {
    @Test("tells missing, invalid, expired and revoked apart")
    func refusals() throws {
        let revoked = RevokedSessions()
        let keys = try Samples.ring("k1")
        let authenticator = Authenticator(keys: SessionKeys(keys), revoked: revoked, acceptsLoadTokens: false)
        let token = try #require(
            AccessTokenCodec(keys: keys).issue(user: Samples.user, session: Samples.session, now: Samples.now))
        let load = try #require(AccessTokenCodec(keys: keys).issueLoad(user: Samples.user, now: Samples.now))
        func code(_ token: String, _ now: Int64 = Samples.now) -> ErrorCode? {
            do {
                _ = try authenticator.authenticate(token, now: now)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(token) == nil)
        #expect(code("") == .tokenMissing)
        #expect(throws: ServiceError(.tokenMissing)) { try authenticator.authenticate(nil, now: Samples.now) }
        #expect(code("pga_AAAA") == .tokenInvalid && code(load) == .tokenInvalid)
        #expect(code(token, Samples.now + 930) == .tokenExpired)
        revoked.insert(Samples.session, age: 0, now: Samples.now)
        #expect(code(token) == .sessionRevoked)
    }
}
