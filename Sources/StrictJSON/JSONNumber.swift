/// A number as its sender wrote it. The literal is kept, so what is passed on or stored is what came.
package struct JSONNumber: Sendable, Hashable {
    /// The literal, valid by RFC 8259, section 6.
    package let literal: String

    /// A literal that a scanner has checked.
    init(checked literal: String) {
        self.literal = literal
    }

    package init(_ value: Int64) {
        literal = String(value)
    }

    /// The shortest literal that reads back as `value`; nil unless it is finite.
    package init?(_ value: Double) {
        guard value.isFinite else { return nil }
        let description = value.description
        literal = description.hasSuffix(".0") ? String(description.dropLast(2)) : description
    }

    /// The value, if it is written in digits alone (a minus in front allowed) and fits: `1.0` and `1e2` are none.
    package var integer: Int64? {
        // The standard library would also take a plus, which a checked literal cannot have.
        Int64(literal)
    }

    /// Whether it is written in digits alone, also where the value is too large for `integer`.
    package var isWrittenInDigits: Bool {
        literal.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 || $0 == UInt8(ascii: "-") }
    }

    /// The nearest value; nil where that is not finite (`1e400`).
    package var double: Double? {
        if let value = shortDouble { return value }
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }

    /// The value of at most 15 digits without an exponent: digits and power of ten are exact then, so that their quotient is the
    /// nearest value, at a tenth of what the standard library takes for it.
    private var shortDouble: Double? {
        let literal = literal.utf8.span
        guard literal.count <= 15 else { return nil }
        var digits: Int64 = 0
        var power: Int64 = 1
        var isFraction = false
        for index in literal.indices {
            switch literal[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits = digits * 10 + Int64(literal[index] - UInt8(ascii: "0"))
                if isFraction { power *= 10 }
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "-"): break
            default: return nil
            }
        }
        let value = Double(digits) / Double(power)
        return literal[0] == UInt8(ascii: "-") ? -value : value
    }
}

extension JSONNumber: CustomStringConvertible {
    package var description: String { literal }
}
