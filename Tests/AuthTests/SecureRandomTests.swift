import PlaygroundCore
import Testing

@testable import Auth

@Suite("Session ids and refresh secrets")
struct SecureRandomTests {
    /// Pearson's statistic over bytes; 255 degrees of freedom.
    func chiSquare(_ counts: [Int]) -> Double {
        let expected = Double(counts.reduce(0, +)) / 256
        return counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    }

    // p < 0.000001 above this: a sound generator fails once in a million runs.
    let bound = 385.0

    @Test("are 128 random bits: 100,000 of them are distinct and their bytes evenly spread")
    func identifiers() throws {
        var seen: Set<UUIDBytes> = []
        var counts = [Int](repeating: 0, count: 256)
        for _ in 0..<100_000 {
            let id = try SecureRandom.uuid()
            seen.insert(id)
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                counts[Int(truncatingIfNeeded: id.high >> shift & 0xFF)] += 1
                counts[Int(truncatingIfNeeded: id.low >> shift & 0xFF)] += 1
            }
        }
        #expect(seen.count == 100_000)
        #expect(chiSquare(counts) < bound)
    }

    @Test("are evenly spread also after derivation")
    func secrets() throws {
        let codec = try RefreshTokenCodec(keys: Samples.ring("k1"))
        var seen: Set<[UInt8]> = []
        var counts = [Int](repeating: 0, count: 256)
        for counter in 0..<20_000 {
            let token = try #require(
                codec.issue(
                    RefreshGeneration(session: Samples.session, counter: Int64(counter), nonce: SecureRandom.uuid()), keyID: "k1")
            )
            let secret = try #require(Base64.url.decode(token.text.dropFirst(4).utf8)).suffix(32)
            seen.insert(Array(secret))
            for byte in secret { counts[Int(byte)] += 1 }
        }
        #expect(seen.count == 20_000)
        #expect(chiSquare(counts) < bound)
    }
}
