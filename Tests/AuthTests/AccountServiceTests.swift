import Foundation
import PlaygroundCore
import TestSupport
import Testing

@testable import Auth

@Suite("Accounts")
struct AccountServiceTests {
    static let hasher = PasswordHasher()
    static let password = "a long enough passphrase"

    let database: SchemaDatabase
    let replica: Replica

    init() async throws {
        database = try SchemaDatabase()
        replica = try await Replica(database, keys: Samples.ring("k1"), hasher: Self.hasher)
    }

    func register(_ email: String, _ password: String = password) async throws {
        try await replica.accounts { try await $0.register($0.newAccount(email: email, password: password)) }
    }

    func login(_ email: String, _ password: String = password) async throws -> IssuedSession {
        try await replica.accounts { try await $0.login(email: EmailAddress(parsing: email), password: password) }
    }

    func weakHash(_ password: String) throws -> String {
        let cost = PasswordHash.Cost(logN: 10, r: 8, p: 1)
        let salt = [UInt8](repeating: 1, count: 16)
        let key = try #require(PasswordHash.deriveKey(password: PasswordHash.input(password), salt: salt, cost: cost))
        return PasswordHash(cost: cost, salt: salt, key: key).description
    }

    @Test("are registered and logged in to under one identity, whatever its case")
    func registerAndLogin() async throws {
        try await register("Ann@Example.org")
        let session = try await login("ann@EXAMPLE.org")
        #expect(session.user.email == "ann@example.org" && session.user.plan == "default" && session.expiresIn == 900)
        let authenticator = Authenticator(keys: SessionKeys(replica.keys), revoked: replica.revoked, acceptsLoadTokens: false)
        let principal = try authenticator.authenticate(session.accessToken, now: Int64(Date().timeIntervalSince1970))
        let user = try await replica.accounts { try await $0.current(principal).user }
        #expect(user == session.user)
        #expect(abs(Double(user.createdAt.microseconds) / 1_000_000 - Date().timeIntervalSince1970) < 60)
    }

    @Test("that exist already are registered with the same answer, and stay as they are")
    func registerTwice() async throws {
        try await register("ann@example.org")
        try await register("ANN@example.org", "quite another passphrase")
        #expect(try database.run("select count(*) from users") == [["1"]])
        #expect(try await login("ann@example.org").user.email == "ann@example.org")
        await #expect(throws: ServiceError(.invalidCredentials)) {
            try await login("ann@example.org", "quite another passphrase")
        }
    }

    @Test("refuse a wrong password, an unknown address and an account without a password alike")
    func refusals() async throws {
        _ = try database.user("nopassword@example.org")
        _ = try database.user("known@example.org", hash: weakHash(Self.password))
        for email in ["known@example.org", "unknown@example.org", "nopassword@example.org"] {
            await #expect(throws: ServiceError(.invalidCredentials)) { try await login(email, "not the password") }
        }
    }

    @Test("name every field that is wrong")
    func fields() async throws {
        let error = try await #require(throws: ServiceError.self) { try await register("nonsense", "short") }
        #expect(error.code == .invalidRequest && error.errors.map(\.param) == ["email", "password"])
        let common = try await #require(throws: ServiceError.self) { try await register("ann@example.org", "password123") }
        #expect(common.param == "password")
        #expect(try database.run("select count(*) from users") == [["0"]])
    }

    @Test("are not registered where registration is closed, except by the operator")
    func closed() async throws {
        let closed = try await Replica(database, keys: Samples.ring("k1"), hasher: Self.hasher, isOpen: false)
        await #expect(throws: ServiceError(.registrationClosed)) {
            try await closed.accounts { try $0.newAccount(email: "ann@example.org", password: Self.password) }
        }
        let user = try await closed.accounts { try await $0.createUser(email: "Ann@example.org", password: Self.password) }
        #expect(user.email == "ann@example.org")
        let error = try await #require(throws: ServiceError.self) {
            try await closed.accounts { try await $0.createUser(email: "ann@example.org", password: Self.password) }
        }
        #expect(error.param == "email")
    }

    @Test("whose stored hash is weaker get a new one at the next log-in")
    func rehash() async throws {
        _ = try database.user("ann@example.org", hash: weakHash(Self.password))
        _ = try await login("ann@example.org")
        let stored = try #require(try database.run("select password_hash from users")[0][0])
        #expect(stored.hasPrefix("$scrypt$ln=17,r=8,p=1$"))
        _ = try await login("ann@example.org")
        #expect(try database.run("select password_hash from users")[0][0] == stored)
    }

    @Test("get a session of its own at each log-in")
    func sessions() async throws {
        let user = try database.user()
        let sessions = try await replica.accounts { accounts in
            var tokens: [String] = []
            for _ in 0..<3 { tokens.append(try await accounts.startSession(of: user).refreshToken) }
            return tokens
        }
        #expect(Set(sessions).count == 3)
        #expect(try database.run("select count(distinct id) from sessions") == [["3"]])
    }

    @Test("end a session with any of its tokens, as often as it is asked, and with no other")
    func logout() async throws {
        let user = try database.user()
        let (replica, database) = (replica, database)
        func ended(_ pick: @Sendable (IssuedSession, IssuedSession) -> String) async throws -> Bool {
            let first = try await replica.accounts { try await $0.startSession(of: user) }
            let second = try await replica.refresh(first.refreshToken)
            let token = pick(first, second)
            for _ in 0..<2 { try await replica.accounts { try await $0.logout(token) } }
            let authenticator = Authenticator(keys: SessionKeys(replica.keys), revoked: replica.revoked, acceptsLoadTokens: false)
            let isRefused =
                Result { () throws(ServiceError) in
                    try authenticator.authenticate(second.accessToken, now: Int64(Date().timeIntervalSince1970))
                } == .failure(ServiceError(.sessionRevoked))
            let refusal = try await replica.refusal(second.refreshToken)
            #expect(isRefused == (refusal == .sessionRevoked))
            try database.run("delete from sessions")
            return isRefused
        }
        #expect(try await ended { first, _ in first.accessToken })
        #expect(try await ended { _, second in second.accessToken })
        #expect(try await ended { first, _ in first.refreshToken })
        #expect(try await ended { _, second in second.refreshToken })
        #expect(try await !ended { _, _ in "" })
        #expect(try await !ended { _, _ in "pga_nonsense" })
        #expect(try await !ended { first, _ in String(first.refreshToken.dropLast()) })
    }

    @Test("are gone for their callers when session or user are")
    func current() async throws {
        let user = try database.user()
        let session = try await replica.accounts { try await $0.startSession(of: user) }
        let principal = try AccessTokenCodec(keys: replica.keys)
            .verify(session.accessToken, now: Int64(Date().timeIntervalSince1970))
        // Another replica ended it, and this one has not heard yet.
        try database.run("update sessions set revoked_at = now()")
        await #expect(throws: ServiceError(.sessionRevoked)) {
            try await replica.accounts { try await $0.current(principal).user }
        }
        let load = Principal(userID: user.id, sessionID: nil, purpose: .load)
        #expect(try await replica.accounts { try await $0.current(load).user }.id == user.id)
        try database.run("delete from users")
        await #expect(throws: ServiceError(.sessionRevoked)) { try await replica.accounts { try await $0.current(load).user } }
    }

    @Test("of load tests are made in numbers, cannot log in, and have tokens of their own kind")
    func loadUsers() async throws {
        let command = try await Replica(database, keys: replica.keys, isOperator: true)
        let tokens = try await command.accounts { try await $0.createLoadUsers(2_500) }
        #expect(Set(tokens).count == 2_500)
        #expect(try database.run("select count(*) from users where password_hash is null") == [["2500"]])
        let now = Int64(Date().timeIntervalSince1970)
        let strict = Authenticator(keys: SessionKeys(replica.keys), revoked: replica.revoked, acceptsLoadTokens: false)
        let lenient = Authenticator(keys: SessionKeys(replica.keys), revoked: replica.revoked, acceptsLoadTokens: true)
        #expect(throws: ServiceError(.tokenInvalid)) { try strict.authenticate(tokens[0], now: now) }
        let principal = try lenient.authenticate(tokens[0], now: now)
        #expect(principal.purpose == .load && principal.sessionID == nil)
        #expect(try await replica.accounts { try await $0.current(principal).user }.email?.hasSuffix("@load.invalid") == true)
    }

    @Test("lose sessions that ended long ago, and no others")
    func purge() async throws {
        let user = try database.user()
        for _ in 0..<2 { _ = try await replica.accounts { try await $0.startSession(of: user) } }
        try database.run(
            "update sessions set created_at = now() - interval '32 days' where id = (select id from sessions limit 1)")
        #expect(try await replica.accounts { try await $0.purgeSessions() } == 1)
        #expect(try database.run("select count(*) from sessions") == [["1"]])
    }
}
