import EventLoop
import PlaygroundCore
import Postgres
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("The throttle on log-ins")
    struct LoginThrottleTests {
        /// An address in a network of its own.
        static func address(_ number: Int) -> String { "10.\(number / 250).\(number % 250).7" }

        private func fail(_ count: Int, _ scene: ThrottleScene, from address: String) async throws {
            for _ in 0..<count { #expect(try await scene.login(from: address) == .failure) }
        }

        @Test(
            "lets five failures pass, then makes each next attempt wait twice as long, up to 15 minutes, and no longer than it says"
        )
        func delays() async throws {
            let scene = try await ThrottleScene()
            try await fail(4, scene, from: "192.0.2.1")
            for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
                let start = ContinuousClock.now
                try await fail(1, scene, from: "192.0.2.1")
                let refused = try await scene.login(from: "192.0.2.99", .right)
                let elapsed = ContinuousClock.now - start
                let wait = try #require(refused.wait, "\(refused) instead of \(seconds) s")
                #expect(wait <= .seconds(seconds))
                #expect(wait >= .seconds(seconds) - elapsed)
                #expect(refused.cause?.contains("network") == true)
                try scene.age(wait)
            }
        }

        @Test("refuses without writing or hashing anything, and a refusal prolongs nothing")
        func refusals() async throws {
            let scene = try await ThrottleScene()
            try await fail(5, scene, from: "192.0.2.1")
            try scene.age(.seconds(1))
            try await fail(1, scene, from: "192.0.2.1")
            let before = try scene.rows()
            var last = Duration.seconds(2)
            for _ in 0..<20 {
                let wait = try #require(try await scene.login(from: "192.0.2.1").wait)
                #expect(wait <= last)
                last = wait
            }
            #expect(try scene.rows() == before)
            #expect(scene.hashed == 6)
            try scene.age(last)
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
        }

        @Test("waits for no disk, and leaves the connection as it was: what comes after it does")
        func commits() async throws {
            let scene = try await ThrottleScene()
            let replica = scene.replicas[0]
            // Tests' databases need not be durable.
            try await replica.set("synchronous_commit", "on")
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
            try await fail(1, scene, from: "192.0.2.1")
            #expect(try await replica.setting("synchronous_commit") == "on")
        }

        @Test("forgets failures at a success, and after a day")
        func forgets() async throws {
            let scene = try await ThrottleScene()
            try await fail(4, scene, from: "192.0.2.1")
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
            try await fail(5, scene, from: "192.0.2.1")
            #expect(try await scene.login(from: "192.0.2.1").isRefused)
            try scene.age(.seconds(24 * 3600))
            try await fail(5, scene, from: "192.0.2.1")
            #expect(try await scene.login(from: "192.0.2.1").isRefused)
        }

        @Test("gives strangers 100 failures an hour together, while who has logged in from a network before still can")
        func strangers() async throws {
            let scene = try await ThrottleScene()
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
            #expect(try await scene.login(from: Self.address(0)) == .failure)
            try scene.age(.seconds(600))
            for number in 1..<100 { #expect(try await scene.login(from: Self.address(number)) == .failure) }
            let start = ContinuousClock.now
            let refused = try await scene.login(from: "198.51.100.1", .right)
            let wait = try #require(refused.wait)
            #expect(refused.cause?.contains("account") == true)
            #expect(wait <= .seconds(3000))
            #expect(wait > .seconds(3000 - 60), "counted from the oldest of them")
            for _ in 0..<3 {
                // Another address of the owner's network, mistyped once.
                #expect(try await scene.login(from: "192.0.2.200") == .failure)
                #expect(try await scene.login(from: "192.0.2.200", .right) == .success)
            }
            #expect(try await scene.login("bob", from: "198.51.100.1") == .failure, "other accounts are not concerned")
            let again = try await scene.login(from: "198.51.100.1")
            let (left, elapsed) = (try #require(again.wait, "\(again)"), ContinuousClock.now - start)
            // Both are told in whole milliseconds, rounded up.
            #expect(left + .milliseconds(1) >= wait - elapsed, "\(left) of \(wait), \(elapsed) later")
            // When the oldest failure leaves the hour there is room for one, and for one alone.
            try scene.age(wait)
            let later = try await scene.all(20) { try await scene.login(from: Self.address(200 + $0)) }
            #expect(later.count { $0 == .failure } == 1)
            #expect(later.count(where: \.isRefused) == 19)
        }

        @Test("treats an account that nobody has in the same way")
        func unknownAccounts() async throws {
            let scene = try await ThrottleScene()
            _ = try scene.database.makeUser()
            for account in ["known", "unknown"] {
                for _ in 0..<5 { #expect(try await scene.login(account, from: "192.0.2.1") == .failure) }
                #expect(try await scene.login(account, from: "192.0.2.1").isRefused)
            }
            #expect(
                try scene.database.run("select count(*), sum(failures) from login_networks group by account")
                    == [["1", "5"], ["1", "5"]])
        }

        @Test("gives one address 30 failures in 5 minutes over all accounts, and its neighbours their own")
        func addresses() async throws {
            let scene = try await ThrottleScene()
            for number in 0..<30 { #expect(try await scene.login("a\(number)", from: "192.0.2.1") == .failure) }
            let refused = try await scene.login("b", from: "192.0.2.1", .right)
            let wait = try #require(refused.wait)
            #expect(wait <= .seconds(300))
            #expect(refused.cause?.contains("address") == true)
            #expect(try await scene.login("b", from: "192.0.2.2", .right) == .success)
            try scene.age(wait)
            #expect(try await scene.login("b", from: "192.0.2.1", .right) == .success)
        }

        @Test("counts the addresses of an IPv6 customer as one")
        func sixes() async throws {
            let scene = try await ThrottleScene()
            for number in 0..<30 { #expect(try await scene.login("a\(number)", from: "2001:db8:0:\(number)::1") == .failure) }
            #expect(try await scene.login("b", from: "2001:db8:0:ff:1:2:3:4").isRefused)
            #expect(try await scene.login("b", from: "2001:db8:0:100::1") == .failure)
        }

        @Test("counts no success, however many there are")
        func successes() async throws {
            let scene = try await ThrottleScene()
            for number in 0..<120 { #expect(try await scene.login("a\(number % 2)", from: "192.0.2.1", .right) == .success) }
            #expect(try scene.database.value("select sum(cardinality(instants)) from attempt_windows") ?? "0" == "0")
            try await fail(5, scene, from: "192.0.2.1")
        }

        @Test("gives back what was never judged, and leaves no trace of it")
        func undecided() async throws {
            let scene = try await ThrottleScene()
            for _ in 0..<40 { #expect(try await scene.login(from: "192.0.2.1", .neverLookedAt) == .other(.overloaded)) }
            #expect(try scene.rows().isEmpty)
            try await fail(5, scene, from: "192.0.2.1")
            try scene.age(.seconds(1))
            let before = try scene.database.run("select failures, tried_at, known_at from login_networks")
            let counted = try scene.database.run("select scope, subject, instants from attempt_windows order by 1")
            #expect(try await scene.login(from: "192.0.2.1", .neverLookedAt) == .other(.overloaded))
            #expect(try scene.database.run("select failures, tried_at, known_at from login_networks") == before)
            #expect(try scene.database.run("select scope, subject, instants from attempt_windows order by 1") == counted)
            try await fail(1, scene, from: "192.0.2.1")
        }

        @Test("remembers the 20 networks that an account has last logged in from")
        func knownNetworks() async throws {
            let scene = try await ThrottleScene()
            for number in 0..<25 { #expect(try await scene.login(from: Self.address(number), .right) == .success) }
            let known = try scene.database.run("select network from login_networks where known_at is not null order by known_at")
            #expect(known.map { $0[0] } == (5..<25).map { ClientOrigin(Self.address($0)).network })
        }

        @Test("removes what says nothing any more, so many rows at a time, and nothing else")
        func purge() async throws {
            let scene = try await ThrottleScene()
            for number in 0..<4 { #expect(try await scene.login(from: Self.address(number)) == .failure) }
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
            #expect(try await scene.purge(100) == 0)
            try scene.age(.seconds(24 * 3600))
            #expect(try await scene.login("bob", from: "192.0.2.1") == .failure)
            // Of four networks three, and of six windows (the account, four addresses; the owner's is used again) three.
            #expect(try await scene.purge(3) == 6)
            #expect(try await scene.purge(3) == 3)
            #expect(try await scene.purge(3) == 0)
            #expect(
                try scene.database.run("select account, known_at is null from login_networks order by 1")
                    == [["ann", "f"], ["bob", "t"]])
            try scene.age(.seconds(365 * 24 * 3600))
            #expect(try await scene.purge(100) == 4)
        }

        @Test("gives an address 30 registrations in 5 minutes, whatever comes of them but errors, and apart from its log-ins")
        func registrations() async throws {
            let scene = try await ThrottleScene()
            for _ in 0..<40 {
                #expect(try await scene.register(from: "192.0.2.1", failingWith: .overloaded) == .other(.overloaded))
            }
            #expect(try scene.rows().isEmpty)
            for _ in 0..<30 { #expect(try await scene.register(from: "192.0.2.1") == .success) }
            let wait = try #require(try await scene.register(from: "192.0.2.1").wait)
            #expect(wait <= .seconds(300))
            #expect(try await scene.register(from: "192.0.2.2") == .success)
            #expect(try await scene.login(from: "192.0.2.1") == .failure)
            try scene.age(wait)
            #expect(try await scene.register(from: "192.0.2.1") == .success)
        }

        @Test("admits nothing where the database does not answer")
        func outage() async throws {
            let scene = try await ThrottleScene()
            try scene.database.run("alter table login_networks rename to elsewhere")
            #expect(try await scene.login(from: "192.0.2.1", .right) == .other(.internalError))
            let gone = try await ThrottleScene.Replica(
                PostgresConfiguration("host=127.0.0.1 port=1 dbname=none"), LoginLimits())
            let error = await #expect(throws: ServiceError.self) {
                try await gone.loop.run { loop in
                    let throttle = gone.throttle.value(on: loop)
                    _ = try await throttle.login(account: "ann", from: ClientOrigin("192.0.2.1")) {
                        () async throws(ServiceError) in
                        Issue.record("admitted")
                        return true
                    }
                }
            }
            #expect(error?.code == .databaseUnavailable)
            #expect(error?.retryable == true)
            #expect(scene.hashed == 0)
        }
    }

    @Suite("The throttle over several processes")
    struct LoginThrottleConcurrencyTests {
        /// Every attempt is hashed for longer than it takes to send all of them.
        private static let hashing = Duration.seconds(2)

        @Test("lets five of 200 guesses at once through to the hasher, for one account from one network")
        func network() async throws {
            let scene = try await ThrottleScene(replicas: 3)
            let outcomes = try await scene.all(200) {
                try await scene.login(from: "192.0.2.\($0)", on: $0 % 3, hashing: Self.hashing)
            }
            #expect(scene.hashed == 5)
            #expect(outcomes.count { $0 == .failure } == 5)
            #expect(outcomes.count(where: \.isRefused) == 195)
        }

        @Test("lets 100 through for one account from 200 networks, and its owner beside them")
        func strangers() async throws {
            let scene = try await ThrottleScene(replicas: 3)
            #expect(try await scene.login(from: "192.0.2.1", .right) == .success)
            let outcomes = try await scene.all(201) { number in
                number == 100
                    ? try await scene.login(from: "192.0.2.1", .right, on: 1)
                    : try await scene.login(from: LoginThrottleTests.address(number), on: number % 3, hashing: Self.hashing)
            }
            #expect(outcomes.count { $0 == .failure } == 100)
            #expect(outcomes.count { $0 == .success } == 1)
            #expect(outcomes.count(where: \.isRefused) == 100)
            #expect(scene.hashed == 102)
        }

        @Test("lets 30 through for 200 accounts from one address")
        func address() async throws {
            let scene = try await ThrottleScene(replicas: 3)
            let outcomes = try await scene.all(200) {
                try await scene.login("a\($0)", from: "192.0.2.1", on: $0 % 3, hashing: Self.hashing)
            }
            #expect(scene.hashed == 30)
            #expect(outcomes.count(where: \.isRefused) == 170)
        }

        @Test("gets along with guesses that cross: 40 accounts from 40 addresses, right and wrong, without a deadlock")
        func crossing() async throws {
            let scene = try await ThrottleScene(replicas: 3)
            let outcomes = try await scene.all(300) { number in
                try await scene.login(
                    "a\(number % 40)", from: LoginThrottleTests.address(number * 7 % 40), number % 3 == 0 ? .right : .wrong,
                    on: number % 3)
            }
            #expect(outcomes.allSatisfy { $0 == .success || $0 == .failure || $0.isRefused }, "\(outcomes)")
            #expect(outcomes.contains(.success))
            #expect(try scene.database.value("select bool_and(failures >= 0) from login_networks") == "t")
        }
    }
}
