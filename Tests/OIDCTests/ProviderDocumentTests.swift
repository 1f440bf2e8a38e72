import EventLoop
import Foundation
import StrictJSON
import Synchronization
import TestSupport
import Testing

@testable import OIDC

/// Counts over threads.
private final class Counter: Sendable {
    let count = Atomic<Int>(0)
}

@Suite("A provider's documents")
struct ProviderDocumentTests {
    @Test("are fresh for an hour, and kept for a day while the provider does not answer")
    func ages() {
        var document = KeptDocument<Int>()
        #expect(document.isWanting(now: 0, rejected: nil) && document.usable(now: 0, rejected: nil) == nil)
        document.received(7, now: 100)
        #expect(!document.isWanting(now: 100 + 3599, rejected: nil))
        #expect(document.isWanting(now: 100 + 3600, rejected: nil))
        #expect(document.usable(now: 100 + 24 * 3600 - 1, rejected: nil) == 7)
        #expect(document.usable(now: 100 + 24 * 3600, rejected: nil) == nil)
    }

    @Test("that would not do are asked for again, twice a minute at most")
    func rejections() {
        var document = KeptDocument<Int>()
        var attempts = [document.mayFetch(now: 0, .need)]
        document.received(1, now: 0)
        #expect(document.isWanting(now: 1, rejected: 1) && !document.isWanting(now: 1, rejected: 0))
        #expect(document.usable(now: 1, rejected: 1) == nil && document.usable(now: 1, rejected: 0) == 1)
        for now in [1, 59, 60, 60] as [Int64] { attempts.append(document.mayFetch(now: now, .claim)) }
        #expect(attempts == [true, true, false, true, false])
        // What strangers may provoke is used up; what the provider itself shows is not.
        attempts = [60, 61, 62].map { document.mayFetch(now: $0, .need) }
        #expect(attempts == [true, true, false])
        attempts = [63, 64, 65, 66, 67].map { document.mayFetch(now: $0, .use) }
        #expect(attempts == [true, true, true, true, false])
        #expect(!document.mayFetch(now: 68, .need) && !document.mayFetch(now: 68, .claim))
    }

    @Test("are fetched once for a thousand who ask at the same time, on whatever loop")
    func singleFlight() async throws {
        let document = SharedDocument<Int>()
        let fetches = Counter()
        let loops: [EventLoop] = (0..<2).map { EventLoop(name: "loop-\($0)") }
        for loop in loops { loop.start() }
        defer { for loop in loops { loop.stop() } }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<1000 {
                let loop = loops[index % 2]
                group.addTask {
                    try await loop.run { loop in
                        let io = loop.io
                        return try await document.current(now: 5, rejecting: 0) { () async throws(ProviderFailure) in
                            fetches.count.add(1, ordering: .relaxed)
                            await io.pause(.milliseconds(100))
                            return 42
                        }.value
                    }
                }
            }
            for try await value in group { #expect(value == 42) }
        }
        #expect(fetches.count.load(ordering: .relaxed) == 1)
    }

    @Test("whose keys nobody knows are fetched twice a minute at most, however many tokens name one")
    func unknownKeys() async throws {
        let fetches = try await withLoop { _ in
            let document = SharedDocument<Int>()
            var fetches = 0
            for index in 0..<1000 {
                let version = try? await document.current(now: Int64(index / 20)) { () async throws(ProviderFailure) in
                    fetches += 1
                    return index
                }
                _ = try? await document.current(now: Int64(index / 20), rejecting: version?.generation, cause: .claim) {
                    () async throws(ProviderFailure) in
                    fetches += 1
                    return index
                }
            }
            return fetches
        }
        #expect(fetches == 2)
    }

    @Test("that cannot be fetched leave the last good one in use")
    func outage() async throws {
        try await withLoop { _ in
            let document = SharedDocument<Int>()
            let failing: () async throws(ProviderFailure) -> Int = { () async throws(ProviderFailure) in
                throw ProviderFailure("gone")
            }
            await #expect(throws: ProviderFailure("gone")) { try await document.current(now: 0, fetch: failing) }
            let first = try await document.current(now: 100) { () async throws(ProviderFailure) in 1 }
            #expect(first.value == 1)
            #expect(try await document.current(now: 100 + 23 * 3600, fetch: failing).value == 1)
            await #expect(throws: ProviderFailure("gone")) { try await document.current(now: 100 + 25 * 3600, fetch: failing) }
        }
    }

    private static let good = """
        {"issuer":"https://issuer.example","authorization_endpoint":"https://issuer.example/authorize?x=1",
        "token_endpoint":"https://tokens.example/token","jwks_uri":"https://issuer.example/keys","more":{}}
        """

    @Test("name the issuer exactly and addresses that are https")
    func discovery() throws {
        let issuer = try EndpointURL("https://issuer.example", allowsPlainLoopback: false)
        let metadata = try ProviderMetadata(JSONValue(parsing: Self.good), issuer: issuer)
        #expect(metadata.tokenEndpoint.text == "https://tokens.example/token" && metadata.takesBasicAuthentication)
        for (part, other) in [
            (#""https://issuer.example","#, #""https://issuer.example/","#), ("https://tokens.example", "http://tokens.example"),
            ("https://issuer.example/keys", "http://127.0.0.1/keys"), ("jwks_uri", "jwks"),
            ("https://issuer.example/keys", "https://u:p@issuer.example/keys"),
        ] {
            let changed = Self.good.replacingOccurrences(of: part, with: other)
            #expect(throws: ProviderFailure.self, "\(other)") {
                try ProviderMetadata(JSONValue(parsing: changed), issuer: issuer)
            }
        }
    }

    @Test(
        "lie at https, or on this machine where that is allowed",
        arguments: [
            ("https://issuer.example", true, true), ("https://issuer.example/a/b?c=d", true, true),
            ("http://issuer.example", false, false),
            ("http://127.0.0.1:8080/x", false, true), ("http://localhost:1", false, true), ("http://[::1]:1/", false, true),
            ("http://127.0.0.1.evil.example/", false, false), ("https://a.example/#x", false, false),
            ("ftp://a.example", false, false),
            ("https://", false, false), ("https://a b.example", false, false), ("https://a.example/\n", false, false),
        ])
    func addresses(_ text: String, _ isTaken: Bool, _ isTakenOnLoopback: Bool) {
        #expect(((try? EndpointURL(text, allowsPlainLoopback: false)) != nil) == isTaken)
        #expect(((try? EndpointURL(text, allowsPlainLoopback: true)) != nil) == isTakenOnLoopback)
    }
}
