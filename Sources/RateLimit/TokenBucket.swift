/// A token bucket at one moment: how much may be spent at once, and how fast it comes back. Pure arithmetic: time is passed in.
///
/// The level is a whole number of units, 60,000,000 to a token, so that a rate per minute refills a whole number of units each
/// microsecond: no rounding adds or loses anything, here or in the database, which computes the same with the same numbers.
package struct TokenBucket: Sendable, Equatable {
    /// Units in one token.
    package static let unitsPerToken: Int64 = 60_000_000
    /// The fastest rate that keeps every product in 64 bits.
    package static let highestRate: Int64 = 1_000_000_000
    /// The longest time that refills at once: an hour, 60 times what fills an empty bucket. Bounds the products as well.
    package static let longestRefill: Int64 = 3_600_000_000

    /// In units; below zero when more was spent than had been reserved.
    package private(set) var level: Int64
    /// Tokens that come back each minute; also how many the bucket holds. 0...`highestRate`.
    package let perMinute: Int64

    /// A bucket as stored. More than the capacity (the rate was lowered since) counts as full; a rate out of bounds is clamped.
    package init(level: Int64, perMinute: Int64) {
        self.perMinute = Self.rate(perMinute)
        self.level = min(level, self.perMinute * Self.unitsPerToken)
    }

    /// A bucket that has not been used.
    package init(fullAt perMinute: Int64) {
        self.init(level: .max, perMinute: perMinute)
    }

    /// A rate within the bounds.
    package static func rate(_ perMinute: Int64) -> Int64 { min(max(0, perMinute), highestRate) }

    /// In units.
    package var capacity: Int64 { perMinute * Self.unitsPerToken }
    /// Whole tokens that may be spent now.
    package var remaining: Int { Int(max(0, level) / Self.unitsPerToken) }

    /// Time passes. Time that runs back counts as none.
    package mutating func refill(microseconds elapsed: Int64) {
        level = min(capacity, level + perMinute * min(max(0, elapsed), Self.longestRefill))
    }

    /// Takes `tokens` (0...`highestRate`) if they are all there, else nothing.
    package mutating func take(_ tokens: Int64) -> Bool {
        let cost = tokens * Self.unitsPerToken
        guard cost <= level else { return false }
        level -= cost
        return true
    }

    /// Settles the difference between what was reserved and what was spent: never above the capacity, below zero if need be.
    /// `tokens` within ±`highestRate`.
    package mutating func giveBack(_ tokens: Int64) {
        level = min(capacity, level + tokens * Self.unitsPerToken)
    }

    /// How long until `tokens` can be taken if nobody else takes any, rounded up to the microsecond; nil: never, it holds less.
    package func wait(for tokens: Int64) -> Duration? {
        guard tokens <= perMinute else { return nil }
        return time(toGain: tokens * Self.unitsPerToken - level)
    }

    /// How long until the bucket is full again.
    package var timeUntilFull: Duration { time(toGain: capacity - level) }

    private func time(toGain units: Int64) -> Duration {
        guard units > 0, perMinute > 0 else { return .zero }
        let (whole, rest) = units.quotientAndRemainder(dividingBy: perMinute)
        return .microseconds(whole + (rest > 0 ? 1 : 0))
    }
}
