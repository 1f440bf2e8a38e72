/// An integer as JSON writes it.
enum DecimalDigits {
    /// The bytes of the longest, its sign included.
    static let most = 20

    /// Writes the digits, and a minus where it takes one.
    /// - Returns: the place behind.
    static func put(_ value: Int64, at place: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var start = place
        if value < 0 {
            start.pointee = UInt8(ascii: "-")
            start += 1
        }
        var rest = value.magnitude
        // No magnitude has more than 19 digits, and ten to the power of 19 fits.
        var power: UInt64 = 10
        var end = start + 1
        while rest >= power {
            end += 1
            power &*= 10
        }
        var digit = end
        while digit > start {
            digit -= 1
            digit.pointee = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return end
    }
}

extension [UInt8] {
    /// Appends an integer in decimal digits, without the string that `String(_:)` would make of it.
    package mutating func append(decimal value: Int64) {
        append(atMost: DecimalDigits.most) { DecimalDigits.put(value, at: $0) }
    }
}
