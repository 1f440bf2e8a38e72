import PlaygroundCore
import Testing

@testable import Auth

@Suite("Refresh tokens")
struct RefreshTokenCodecTests {
    let codec: RefreshTokenCodec
    let token: RefreshToken

    init() throws {
        codec = try RefreshTokenCodec(keys: Samples.ring("k1"))
        token = try #require(
            codec.issue(RefreshGeneration(session: Samples.session, counter: 7, nonce: Samples.nonce), keyID: "k1"))
    }

    @Test("carry session, counter and nonce, and hash to what is stored")
    func reading() throws {
        let read = try #require(codec.read(token.text))
        #expect(read.generation == RefreshGeneration(session: Samples.session, counter: 7, nonce: Samples.nonce))
        #expect(read.hash == token.hash && read.isAuthentic)
        #expect(token.text.hasPrefix("pgr_") && token.hash.count == 32)
    }

    @Test("derive the same for the same generation, another for any other")
    func derivation() throws {
        #expect(codec.issue(RefreshGeneration(session: Samples.session, counter: 7, nonce: Samples.nonce), keyID: "k1") == token)
        let others = [
            codec.issue(RefreshGeneration(session: Samples.session, counter: 8, nonce: Samples.nonce), keyID: "k1"),
            codec.issue(RefreshGeneration(session: Samples.session, counter: 7, nonce: UUIDBytes(high: 1, low: 2)), keyID: "k1"),
            codec.issue(RefreshGeneration(session: SessionID(Samples.nonce), counter: 7, nonce: Samples.nonce), keyID: "k1"),
            try RefreshTokenCodec(keys: Samples.ring("k2"))
                .issue(RefreshGeneration(session: Samples.session, counter: 7, nonce: Samples.nonce), keyID: "k2"),
        ]
        for other in others { #expect(try #require(other).hash != token.hash) }
        #expect(codec.issue(RefreshGeneration(session: Samples.session, counter: 7, nonce: Samples.nonce), keyID: "gone") == nil)
    }

    @Test("of a removed key are read without being believed")
    func removedKey() throws {
        let read = try #require(RefreshTokenCodec(keys: Samples.ring("k2")).read(token.text))
        #expect(!read.isAuthentic && read.hash == token.hash)
    }

    @Test("are refused with a bit flipped, truncated, padded, or as another kind")
    func canonical() throws {
        let bytes = Array(token.text.utf8)
        // A flip inside the key id makes it an unknown key's, which only its hash can vouch for, and that is another's then.
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                guard let text = String(validating: flipped, as: UTF8.self), let read = codec.read(text) else { continue }
                #expect(!read.isAuthentic, "byte \(index), bit \(bit)")
            }
        }
        for length in 0..<bytes.count { #expect(codec.read(String(token.text.prefix(length))) == nil) }
        for extra in ["=", " ", "\n", "A"] {
            #expect(codec.read(token.text + extra) == nil && codec.read(extra + token.text) == nil)
        }
        let access = try AccessTokenCodec(keys: Samples.ring("k1"))
        let other = try #require(access.issue(user: Samples.user, session: Samples.session, now: Samples.now))
        #expect(codec.read(other) == nil && codec.read("pgr_" + other.dropFirst(4)) == nil)
    }

    @Test("never run out of successors")
    func lastCounter() throws {
        let last = try #require(
            codec.issue(RefreshGeneration(session: Samples.session, counter: .max, nonce: Samples.nonce), keyID: "k1"))
        #expect(codec.read(last.text) == nil)
        let negative = try #require(
            codec.issue(RefreshGeneration(session: Samples.session, counter: -1, nonce: Samples.nonce), keyID: "k1"))
        #expect(codec.read(negative.text) == nil)
    }
}
