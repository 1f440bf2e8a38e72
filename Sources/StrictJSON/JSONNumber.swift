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
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }
}

extension JSONNumber: CustomStringConvertible {
    package var description: String { literal }
}
