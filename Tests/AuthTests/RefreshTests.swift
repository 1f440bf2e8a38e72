import Foundation
import PlaygroundCore
import TestSupport
import Testing

@testable import Auth

@Suite("Refreshing a session")
struct RefreshTests {
    let database: SchemaDatabase
    let replica: Replica
    let user: User
    let first: IssuedSession

    init() async throws {
        database = try SchemaDatabase()
        replica = try await Replica(database, keys: Samples.ring("k1"))
        let user = try database.user()
        self.user = user
        first = try await replica.accounts { try await $0.startSession(of: user) }
    }

    /// Puts the session's past further back.
    func age(_ interval: String, _ columns: String...) throws {
        let changes = columns.map { "\($0) = \($0) - interval '\(interval)'" }.joined(separator: ", ")
        try database.run("update sessions set \(changes)")
    }

    func sessionID(_ session: IssuedSession) throws -> SessionID {
        try #require(RefreshTokenCodec(keys: replica.keys).read(session.refreshToken)).session
    }

    @Test("gives new tokens, and the caller's account")
    func rotation() async throws {
        let second = try await replica.refresh(first.refreshToken)
        #expect(second.refreshToken != first.refreshToken)
        #expect(second.user.id == user.id && second.user.email == user.email)
        #expect(second.expiresIn == 900 && second.refreshExpiresIn == 604_800 && first.refreshExpiresIn == 604_800)
        let now = Int64(Date().timeIntervalSince1970)
        let principal = try AccessTokenCodec(keys: replica.keys).verify(second.accessToken, now: now)
        #expect(try principal == Principal(userID: user.id, sessionID: sessionID(first), purpose: .access))
    }

    @Test("20 times at once over three replicas is one rotation and one successor")
    func concurrentUse() async throws {
        let replicas = [
            replica, try await Replica(database, keys: Samples.ring("k1")), try await Replica(database, keys: Samples.ring("k1")),
        ]
        var token = first.refreshToken
        for round in 1...5 {
            let presented = token
            let successors = try await withThrowingTaskGroup(of: String.self) { group in
                for index in 0..<20 { group.addTask { try await replicas[index % 3].refresh(presented).refreshToken } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(successors.count == 1)
            #expect(try database.run("select counter from sessions") == [["\(round)"]])
            token = try #require(successors.first)
        }
    }

    @Test("gives one successor also while replicas sign with different keys")
    func concurrentUseDuringKeySwitch() async throws {
        let other = try await Replica(database, keys: Samples.ring("k2", "k1"))
        let both = try await Replica(database, keys: Samples.ring("k1", "k2"))
        let presented = first.refreshToken
        let successors = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<12 { group.addTask { try await (index % 2 == 0 ? other : both).refresh(presented).refreshToken } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(successors.count == 1)
    }

    @Test("again after a lost answer gives the same successor", arguments: ["0 s", "15 s", "1 hour", "23 hours"])
    func lostAnswer(later: String) async throws {
        let lost = try await replica.refresh(first.refreshToken)
        try age(later, "rotated_at")
        let again = try await replica.refresh(first.refreshToken)
        #expect(again.refreshToken == lost.refreshToken)
        #expect(try await replica.refusal(again.refreshToken) == nil)
    }

    @Test("a day after the answer was lost is a reuse")
    func lostForTooLong() async throws {
        _ = try await replica.refresh(first.refreshToken)
        try age("24 hours 1 s", "rotated_at")
        #expect(try await replica.refusal(first.refreshToken) == .sessionRevoked)
    }

    @Test("with a copy after the successor was used ends the session for both holders")
    func reuse() async throws {
        let second = try await replica.refresh(first.refreshToken)
        let third = try await replica.refresh(second.refreshToken)
        #expect(try await replica.refusal(first.refreshToken) == .sessionRevoked)
        for token in [first, second, third].map(\.refreshToken) {
            #expect(try await replica.refusal(token) == .sessionRevoked)
        }
        #expect(replica.revoked.contains(try sessionID(first)))
        #expect(try database.run("select count(*) from sessions where revoked_at is not null") == [["1"]])
    }

    @Test("with a copy many generations old ends the session too")
    func oldReuse() async throws {
        var token = first.refreshToken
        for _ in 0..<6 { token = try await replica.refresh(token).refreshToken }
        #expect(try await replica.refusal(first.refreshToken) == .sessionRevoked)
        #expect(try await replica.refusal(token) == .sessionRevoked)
    }

    @Test("leaves the user's other sessions alone")
    func otherSessions() async throws {
        let user = user
        let other = try await replica.accounts { try await $0.startSession(of: user) }
        #expect(try sessionID(other) != sessionID(first))
        _ = try await replica.refresh(try await replica.refresh(first.refreshToken).refreshToken)
        #expect(try await replica.refusal(first.refreshToken) == .sessionRevoked)
        #expect(try await replica.refusal(other.refreshToken) == nil)
    }

    @Test("with something that was never issued ends nothing")
    func forgery() async throws {
        let codec = try RefreshTokenCodec(keys: Samples.ring("forger"))
        let session = try sessionID(first)
        _ = try await replica.refresh(first.refreshToken)
        for counter in [Int64(0), 1, 2] {
            let forged = try #require(
                codec.issue(RefreshGeneration(session: session, counter: counter, nonce: Samples.nonce), keyID: "forger"))
            #expect(try await replica.refusal(forged.text) == .tokenInvalid)
        }
        #expect(try await replica.refusal("") == .tokenInvalid)
        #expect(try await replica.refusal(first.accessToken) == .tokenInvalid)
        #expect(try database.run("select revoked_at from sessions") == [[nil]])
        #expect(try await replica.refusal(first.refreshToken) == nil)
    }

    @Test(
        "ends after 7 idle days, and after 30 in any case, by the database's clock",
        arguments: [
            ("6 days 23 hours", false, nil as ErrorCode?), ("7 days", false, .sessionRevoked), ("29 days 23 hours", true, nil),
            ("30 days", true, .sessionRevoked),
        ])
    func lifetimes(past: String, isAbsolute: Bool, refusal: ErrorCode?) async throws {
        try age(past, isAbsolute ? "created_at" : "rotated_at")
        if refusal == nil, isAbsolute {
            let second = try await replica.refresh(first.refreshToken)
            #expect((3_590...3_600).contains(second.refreshExpiresIn))
        } else {
            #expect(try await replica.refusal(first.refreshToken) == refusal)
        }
    }

    @Test("survives the removal of keys: of the token's own, and of its predecessor's")
    func removedKeys() async throws {
        let rotating = try await Replica(database, keys: Samples.ring("k2", "k1"))
        let after = try await Replica(database, keys: Samples.ring("k2"))
        let second = try await rotating.refresh(first.refreshToken)
        // The answer was lost, and the key of the token that is left has gone meanwhile.
        #expect(try await after.refresh(first.refreshToken).refreshToken == second.refreshToken)
        let third = try await after.refresh(second.refreshToken)
        #expect(try await after.refusal(third.refreshToken) == nil)
    }

    @Test("of a user who was deleted is refused")
    func deletedUser() async throws {
        try database.run("delete from users")
        #expect(try await replica.refusal(first.refreshToken) == .sessionRevoked)
    }

    @Test("leaves nothing in the database that can be presented")
    func dump() async throws {
        let second = try await replica.refresh(first.refreshToken)
        let rows = try database.run("select users::text, sessions::text from sessions join users on users.id = user_id")
        let text = rows.joined().compactMap { $0 }.joined()
        for token in [first, second].map(\.refreshToken) {
            let bytes = try #require(Base64.url.decode(token.dropFirst(4).utf8))
            let nonce = bytes.dropLast(32).suffix(16).map { String(format: "%02x", $0) }.joined()
            let secret = bytes.suffix(32).map { String(format: "%02x", $0) }.joined()
            #expect(!text.contains(secret) && !text.contains(nonce) && !text.contains(token))
        }
        #expect(!text.contains(second.accessToken))
    }
}
