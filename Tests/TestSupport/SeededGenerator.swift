/// Random numbers that a seed determines (SplitMix64; Steele, Lea and Flood 2014): what has failed can be run again.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// True so many times of a hundred.
    package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    /// A random UUID in lower case.
    package mutating func uuid() -> String {
        let digits = Array("0123456789abcdef")
        let sizes = [8, 4, 4, 4, 12]
        return sizes.map { size in String((0..<size).map { _ in digits[Int.random(in: 0..<16, using: &self)] }) }
            .joined(separator: "-")
    }
}
