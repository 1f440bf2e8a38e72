/// An integer as JSON writes it, and as the database does.
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

extension Int64 {
    /// The value of decimal digits, perhaps behind a minus sign.
    ///
    /// Nil where there are none, where there is anything else, and where it does not fit.
    package init?(decimal text: UnsafeBufferPointer<UInt8>) {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text[...]
        if digits.isEmpty { return nil }
        // Counted downwards, because there is one negative number more.
        var value: Int64 = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            let (tenfold, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (difference, overflows) = tenfold.subtractingReportingOverflow(Int64(digit))
            if digit > 9 || isTooLarge || overflows { return nil }
            value = difference
        }
        if !isNegative, value == .min { return nil }
        self = isNegative ? value : -value
    }
}
