extension JSONScanner {
    /// Takes a number and says where its literal stands (RFC 8259, section 6).
    public mutating func number() throws(JSONError) -> Range<Int> {
        _ = try next()
        let start = offset
        var index = start
        if isNext("-", at: index) { index &+= 1 }
        if isNext("0", at: index) {
            index &+= 1
            // A further digit after a leading zero would otherwise read as a missing comma.
            guard !isDigit(at: index) else { throw JSONError(.invalidNumber, at: start) }
        } else {
            index = try endOfDigits(at: index)
        }
        if isNext(".", at: index) { index = try endOfDigits(at: index &+ 1) }
        if isNext("e", at: index) || isNext("E", at: index) {
            index &+= 1
            if isNext("+", at: index) || isNext("-", at: index) { index &+= 1 }
            index = try endOfDigits(at: index)
        }
        guard index &- start <= limits.numberLength else { throw JSONError(.numberTooLong, at: start) }
        offset = index
        return Range(uncheckedBounds: (start, index))
    }

    @inline(__always)
    private func isNext(_ character: Unicode.Scalar, at index: Int) -> Bool {
        index < bytes.count && bytes[unchecked: index] == UInt8(ascii: character)
    }

    @inline(__always)
    private func isDigit(at index: Int) -> Bool {
        index < bytes.count && bytes[unchecked: index] &- UInt8(ascii: "0") < 10
    }

    /// Past one digit or more.
    @inline(__always)
    private func endOfDigits(at start: Int) throws(JSONError) -> Int {
        guard start < bytes.count else { throw JSONError(.unexpectedEnd, at: start) }
        // Named is the number's first byte, which is `offset` until the whole of it is taken.
        guard isDigit(at: start) else { throw JSONError(.invalidNumber, at: offset) }
        var index = start &+ 1
        while isDigit(at: index) { index &+= 1 }
        return index
    }
}
