extension [UInt8] {
    /// Appends an integer in decimal digits, without the string that `String(_:)` would make of it.
    package mutating func append(decimal value: Int64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        var rest = value.magnitude
        repeat {
            start &-= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        digits.span.extracting(start..<20).withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
