import PlaygroundCore
import Testing

@testable import Auth

@Suite("What a process knows of API keys")
struct APIKeyCacheTests {
    static func key(_ number: UInt64) throws -> (key: APIKeyText, principal: Principal) {
        let id = APIKeyID(UUIDBytes(high: 0, low: number))
        let grant = APIKeyGrant(id: id, scopes: [.complete], isLimited: false)
        return (try APIKeyText.make(id: id).key, Principal(userID: Samples.user, sessionID: nil, purpose: .key(grant)))
    }

    @Test("is believed for a minute, or to the key's end, and only of the key whose hash it is")
    func memory() throws {
        let cache = APIKeyCache()
        let (key, principal) = try Self.key(1)
        #expect(cache.find(key, now: 0) == .unknown)
        cache.insert(key.id, principal, hash: key.hash.bytes, left: nil, now: 0)
        #expect(cache.find(key, now: 59_999) == .principal(principal))
        #expect(cache.find(key, now: 60_000) == .unknown)
        #expect(try cache.find(APIKeyText.make(id: key.id).key, now: 1) == .refused, "another secret under the same id")
        cache.insert(key.id, principal, hash: key.hash.bytes, left: 500, now: 100_000)
        #expect(cache.find(key, now: 100_499) == .principal(principal))
        #expect(cache.find(key, now: 100_500) == .unknown)
    }

    @Test("has keys that are none too, for a minute, until one is")
    func absent() throws {
        let cache = APIKeyCache()
        let (key, principal) = try Self.key(1)
        cache.insertAbsent(key.id, now: 0)
        #expect(cache.find(key, now: 59_999) == .refused && cache.find(key, now: 60_000) == .unknown)
        cache.insert(key.id, principal, hash: key.hash.bytes, left: nil, now: 1)
        #expect(cache.find(key, now: 2) == .principal(principal))
        cache.insertAbsent(key.id, now: 3)
        #expect(cache.find(key, now: 4) == .refused)
    }

    @Test("is bounded, and keys that are none drive out none that are")
    func bound() throws {
        let cache = APIKeyCache(capacity: 50)
        let keys = try (0..<40).map { try Self.key(UInt64($0)) }
        for (key, principal) in keys { cache.insert(key.id, principal, hash: key.hash.bytes, left: nil, now: 0) }
        for number in 0..<1_000 { cache.insertAbsent(APIKeyID(UUIDBytes(high: 1, low: UInt64(number))), now: 1) }
        for (key, principal) in keys { #expect(cache.find(key, now: 2) == .principal(principal)) }
        let more = try (100..<120).map { try Self.key($0) }
        for (key, principal) in more { cache.insert(key.id, principal, hash: key.hash.bytes, left: nil, now: 3) }
        for (key, principal) in more { #expect(cache.find(key, now: 4) == .principal(principal), "the youngest stay") }
    }
}

@Suite("The limit on keys that are none")
struct UnknownKeyLimitTests {
    @Test("lets a place ask twenty times at once and then once in three seconds, and others meanwhile")
    func rate() {
        var limit = UnknownKeyLimit()
        for _ in 0..<20 { #expect(limit.take("a", now: 0) == nil) }
        #expect(limit.take("a", now: 0) == 3_000)
        #expect(limit.take("b", now: 0) == nil)
        #expect(limit.take("a", now: 2_999) == 1)
        #expect(limit.take("a", now: 3_000) == nil && limit.take("a", now: 3_000) == 3_000)
        for _ in 0..<20 { #expect(limit.take("a", now: 100_000) == nil) }
        #expect(limit.take("a", now: 100_000) != nil)
    }

    @Test("takes nothing for keys that are some")
    func givenBack() {
        var limit = UnknownKeyLimit()
        for _ in 0..<1_000 {
            #expect(limit.take("a", now: 0) == nil)
            limit.giveBack("a", now: 0)
        }
        #expect(limit.count == 0)
    }

    @Test("is bounded")
    func bound() {
        var limit = UnknownKeyLimit(capacity: 10)
        for number in 0..<1_000 {
            #expect(limit.take("\(number)", now: Int64(number)) == nil)
            #expect(limit.count <= 10)
        }
    }
}
