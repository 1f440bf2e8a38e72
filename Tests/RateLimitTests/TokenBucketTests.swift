import Testing

@testable import RateLimit

@Suite("A token bucket")
struct TokenBucketTests {
    private static let second: Int64 = 1_000_000

    private func expect(
        _ bucket: inout TokenBucket, _ tokens: Int64, _ expected: Bool, at location: SourceLocation = #_sourceLocation
    ) {
        let taken = bucket.take(tokens)
        #expect(taken == expected, sourceLocation: location)
    }

    @Test("starts full, gives its whole minute at once, and then nothing")
    func burst() {
        var bucket = TokenBucket(fullAt: 60)
        #expect(bucket.remaining == 60)
        for _ in 0..<60 { expect(&bucket, 1, true) }
        expect(&bucket, 1, false)
        #expect(bucket.level == 0)
    }

    @Test("takes everything asked for or nothing")
    func allOrNothing() {
        var bucket = TokenBucket(level: 5 * TokenBucket.unitsPerToken, perMinute: 60)
        expect(&bucket, 6, false)
        #expect(bucket.remaining == 5)
        expect(&bucket, 5, true)
    }

    @Test(
        "refills continuously, to the unit",
        arguments: [
            (60, second, 60 * second), (60, 1, 60), (90_000, 1, 90_000), (7, 3, 21), (60, -second, 0), (60, 0, 0), (0, second, 0),
        ] as [(Int64, Int64, Int64)])
    func refill(perMinute: Int64, elapsed: Int64, gained: Int64) {
        var bucket = TokenBucket(level: 0, perMinute: perMinute)
        bucket.refill(microseconds: elapsed)
        #expect(bucket.level == gained)
    }

    @Test("never holds more than one minute's worth, however long nobody asks")
    func capacity() {
        var bucket = TokenBucket(level: -1_000_000 * TokenBucket.unitsPerToken, perMinute: TokenBucket.highestRate)
        bucket.refill(microseconds: .max)
        #expect(bucket.level == bucket.capacity)
        bucket.giveBack(TokenBucket.highestRate)
        #expect(bucket.level == bucket.capacity)
        #expect(TokenBucket(level: .max, perMinute: 60).remaining == 60)
    }

    @Test("may be driven below zero by a settlement, and shows nothing left then")
    func debt() {
        var bucket = TokenBucket(level: 0, perMinute: 60)
        bucket.giveBack(-30)
        #expect(bucket.remaining == 0)
        #expect(bucket.wait(for: 1) == .seconds(31))
        #expect(bucket.timeUntilFull == .seconds(90))
        bucket.refill(microseconds: 30 * Self.second)
        #expect(bucket.level == 0)
    }

    @Test(
        "tells how long to wait, rounded up to the microsecond",
        arguments: [
            (60, 0, 1, 1_000_000), (60, 60_000_000, 1, 0), (90_000, 0, 1, 667), (7, 0, 1, 8_571_429), (60, 1, 1, 1_000_000),
        ] as [(Int64, Int64, Int64, Int)])
    func wait(perMinute: Int64, level: Int64, tokens: Int64, microseconds: Int) {
        #expect(TokenBucket(level: level, perMinute: perMinute).wait(for: tokens) == .microseconds(microseconds))
    }

    @Test("says never for more than it holds")
    func never() {
        #expect(TokenBucket(fullAt: 60).wait(for: 61) == nil)
        #expect(TokenBucket(fullAt: 0).wait(for: 1) == nil)
    }

    @Test("takes rates out of bounds for the nearest bound", arguments: [(-1, 0), (.max, 1_000_000_000)] as [(Int64, Int64)])
    func bounds(perMinute: Int64, expected: Int64) {
        #expect(TokenBucket(fullAt: perMinute).perMinute == expected)
    }

    @Test("admits after exactly the wait it told, and not a microsecond before", arguments: 0..<200)
    func waitIsExact(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let rate = Int64.random(in: 1...100_000, using: &random)
        let tokens = Int64.random(in: 1...rate, using: &random)
        let bucket = TokenBucket(
            level: Int64.random(in: -rate * TokenBucket.unitsPerToken...tokens * TokenBucket.unitsPerToken - 1, using: &random),
            perMinute: rate)
        let wait = try #require(bucket.wait(for: tokens))
        let (seconds, attoseconds) = wait.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        var early = bucket
        early.refill(microseconds: microseconds - 1)
        expect(&early, tokens, false)
        var onTime = bucket
        onTime.refill(microseconds: microseconds)
        expect(&onTime, tokens, true)
    }

    @Test("in every window admits at most the burst and what the window refills", arguments: 0..<50)
    func windows(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let rate = Int64.random(in: 1...10_000, using: &random)
        var bucket = TokenBucket(fullAt: rate)
        var now: Int64 = 0
        var admitted: [(at: Int64, tokens: Int64)] = []
        for _ in 0..<300 {
            let step = Int64.random(in: -2...1_000_000, using: &random)
            bucket.refill(microseconds: step)
            now += max(0, step)
            let tokens = Int64.random(in: 1...max(1, rate / 2), using: &random)
            if bucket.take(tokens) { admitted.append((now, tokens)) }
        }
        for first in admitted.indices {
            var sum: Int64 = 0
            for last in first..<admitted.count {
                sum += admitted[last].tokens
                let window = admitted[last].at - admitted[first].at
                #expect(sum * TokenBucket.unitsPerToken <= rate * TokenBucket.unitsPerToken + rate * window)
            }
        }
    }

    @Test("lets a client at nine tenths of its rate through every time")
    func liveness() {
        var bucket = TokenBucket(fullAt: 60)
        for _ in 0..<540 {
            bucket.refill(microseconds: Self.second * 10 / 9)
            expect(&bucket, 1, true)
        }
    }
}

/// A reproducible source of randomness: the same seed, the same numbers (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
