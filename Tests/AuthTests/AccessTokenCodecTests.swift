import PlaygroundCore
import Testing

@testable import Auth

@Suite("Access tokens")
struct AccessTokenCodecTests {
    let codec: AccessTokenCodec
    let token: String

    init() throws {
        codec = try AccessTokenCodec(keys: Samples.ring("k1"))
        token = try #require(codec.issue(user: Samples.user, session: Samples.session, now: Samples.now))
    }

    func outcome(_ text: String, now: Int64 = Samples.now) -> Result<Principal, AccessTokenCodec.Refusal> {
        Result { () throws(AccessTokenCodec.Refusal) in try codec.verify(text, now: now) }
    }

    @Test("say who calls and in which session")
    func principal() {
        #expect(outcome(token) == .success(Principal(userID: Samples.user, sessionID: Samples.session, purpose: .access)))
        #expect(token.hasPrefix("pga_"))
    }

    @Test("of load tests say so, and have no session")
    func load() throws {
        let token = try #require(codec.issueLoad(user: Samples.user, now: Samples.now))
        #expect(token.hasPrefix("pgl_"))
        #expect(outcome(token) == .success(Principal(userID: Samples.user, sessionID: nil, purpose: .load)))
    }

    @Test(
        "live 15 minutes, those of load tests a day, with 30 seconds of leeway",
        arguments: [
            (0, true), (899, true), (900, true), (929, true), (930, false), (86_400, false),
        ])
    func expiry(seconds: Int64, isAlive: Bool) throws {
        let later = Samples.now + seconds
        #expect(outcome(token, now: later) == (isAlive ? outcome(token) : .failure(.expired)))
        let load = try #require(codec.issueLoad(user: Samples.user, now: Samples.now))
        #expect(outcome(load, now: later) == outcome(load))
        #expect(outcome(load, now: later + 86_430) == .failure(.expired))
    }

    @Test("are taken by a replica whose clock is behind")
    func clockBehind() {
        #expect(outcome(token, now: Samples.now - 3_600) == outcome(token))
    }

    @Test("that have expired still tell which session to log out")
    func logout() throws {
        #expect(try codec.verifyIgnoringExpiry(token).sessionID == Samples.session)
        #expect(throws: AccessTokenCodec.Refusal.invalid) { try codec.verifyIgnoringExpiry(token + "A") }
    }

    @Test("are refused with any one bit of the text flipped, also when expired")
    func bitFlips() {
        let bytes = Array(token.utf8)
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                let refused = flipped.withUnsafeBufferPointer { text in
                    Result { () throws(AccessTokenCodec.Refusal) in try codec.verify(text, now: Samples.now + 1_000_000) }
                }
                #expect(refused == .failure(.invalid), "byte \(index), bit \(bit)")
            }
        }
    }

    @Test("are refused truncated at either end")
    func truncation() {
        for length in 0..<token.utf8.count {
            #expect(outcome(String(token.prefix(length))) == .failure(.invalid))
            #expect(outcome(String(token.suffix(length))) == .failure(.invalid))
        }
    }

    @Test(
        "are refused with anything around or inside them",
        arguments: [
            "=", "==", " ", "\n", "\r\n", "\t", "\u{0}", "A", "AA", "AAAA", "+", "/", ".", ",", "é",
        ])
    func additions(text: String) {
        #expect(outcome(token + text) == .failure(.invalid))
        #expect(outcome(text + token) == .failure(.invalid))
        #expect(outcome("pga_" + text + token.dropFirst(4)) == .failure(.invalid))
        #expect(outcome(String(token.prefix(20)) + text + token.dropFirst(20)) == .failure(.invalid))
    }

    @Test("have one spelling: unused bits of the last character may not be set", arguments: ["k", "k1", "k12", "k123"])
    func trailingBits(id: String) throws {
        let codec = try AccessTokenCodec(keys: Samples.ring(id))
        let token = try #require(codec.issue(user: Samples.user, session: Samples.session, now: Samples.now))
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let accepted = alphabet.filter { last in
            (try? codec.verify(token.dropLast() + String(last), now: Samples.now)) != nil
        }
        #expect(accepted == String(token.suffix(1)))
    }

    @Test("are refused after any of 10,000 random mutations")
    func mutations() {
        var random = SystemRandomNumberGenerator()
        let original = Array(token.utf8)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. pg".utf8)
        var accepted = 0
        for _ in 0..<10_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[at] = alphabet.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: at)
                case 3: bytes[at] = UInt8.random(in: 0...255, using: &random)
                default: bytes.swapAt(at, Int.random(in: 0..<bytes.count, using: &random))
                }
            }
            guard bytes != original else { continue }
            let isTaken = bytes.withUnsafeBufferPointer { (try? codec.verify($0, now: Samples.now)) != nil }
            if isTaken { accepted += 1 }
        }
        #expect(accepted == 0)
    }

    @Test("are no other kind of token, whatever their prefix says")
    func purposes() throws {
        let refresh = try #require(
            RefreshTokenCodec(keys: Samples.ring("k1"))
                .issue(RefreshGeneration(session: Samples.session, counter: 0, nonce: Samples.nonce), keyID: "k1"))
        for prefix in ["pga_", "pgl_", "pgr_"] {
            #expect(outcome(prefix + refresh.text.dropFirst(4)) == .failure(.invalid))
            if prefix != "pga_" { #expect(outcome(prefix + token.dropFirst(4)) == .failure(.invalid)) }
        }
    }

    @Test("of another version are refused")
    func version() throws {
        var bytes = try #require(Base64.url.decode(token.dropFirst(4).utf8))
        bytes[0] = 2
        #expect(outcome("pga_" + Base64.url.encode(bytes)) == .failure(.invalid))
    }

    @Test("are verified by every key of the ring, and die with their key")
    func rotation() throws {
        let both = try AccessTokenCodec(keys: Samples.ring("k2", "k1"))
        let after = try AccessTokenCodec(keys: Samples.ring("k2"))
        let newer = try #require(both.issue(user: Samples.user, session: Samples.session, now: Samples.now))
        #expect(throws: Never.self) { try both.verify(token, now: Samples.now) }
        #expect(throws: Never.self) { try after.verify(newer, now: Samples.now) }
        #expect(throws: AccessTokenCodec.Refusal.invalid) { try after.verify(token, now: Samples.now) }
    }

    @Test("of a key with the same bytes and another id are refused: the id is inside the tag")
    func keyIDIsSigned() throws {
        let first = try AccessTokenCodec(keys: KeyRing(parsing: Samples.keyText("aa", 9) + "," + Samples.keyText("bb", 9)))
        let token = try #require(first.issue(user: Samples.user, session: Samples.session, now: Samples.now))
        var bytes = try #require(Base64.url.decode(token.dropFirst(4).utf8))
        bytes[3] = UInt8(ascii: "b")
        bytes[4] = UInt8(ascii: "b")
        #expect(throws: AccessTokenCodec.Refusal.invalid) {
            try first.verify("pga_" + Base64.url.encode(bytes), now: Samples.now)
        }
    }

    @Test("survive ids of every length that a ring allows", arguments: [1, 2, 3, 31, 32])
    func idLengths(length: Int) throws {
        let codec = try AccessTokenCodec(keys: Samples.ring(String(repeating: "k", count: length)))
        let token = try #require(codec.issue(user: Samples.user, session: Samples.session, now: Samples.now))
        #expect(throws: Never.self) { try codec.verify(token, now: Samples.now) }
        #expect(token.utf8.count <= TokenFormat.maximumTextLength)
    }
}
