/// Counts durations in buckets that are 3 % wide: 32 to each doubling.
struct Histogram {
    private var buckets = [Int](repeating: 0, count: 2048)
    private(set) var count = 0
    private(set) var largest: Int64 = 0

    /// - Parameter nanoseconds: negative ones, which two clocks can give, count as 0.
    mutating func add(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        buckets[Self.index(value)] += 1
        count += 1
        largest = max(largest, value)
    }

    /// The middle of the bucket that holds the quantile, in milliseconds; nil when nothing was counted.
    func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        if fraction >= 1 { return Double(largest) / 1e6 }
        let wanted = Int(fraction * Double(count - 1)) + 1
        var seen = 0
        for (index, bucket) in buckets.enumerated() {
            seen += bucket
            if seen >= wanted { return Self.middle(index) / 1e6 }
        }
        return Double(largest) / 1e6
    }

    private static func index(_ value: Int64) -> Int {
        if value < 64 { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount - 5
        return min(2047, exponent * 32 + Int(value >> Int64(exponent)))
    }

    private static func middle(_ index: Int) -> Double {
        if index < 64 { return Double(index) }
        let exponent = index / 32 - 1
        return (Double(index - exponent * 32) + 0.5) * Double(1 << exponent)
    }
}
