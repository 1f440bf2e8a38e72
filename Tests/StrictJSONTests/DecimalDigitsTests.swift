import Testing

@testable import StrictJSON

@Suite("Decimal digits")
struct DecimalDigitsTests {
    @Test(
        "are an integer where they are nothing else and fit 64 bits",
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", .max), ("9223372036854775808", nil),
            ("-9223372036854775808", .min), ("-9223372036854775809", nil), ("99999999999999999999", nil), ("1.0", nil),
            ("1e2", nil), ("-1E2", nil), ("", nil), ("-", nil), ("--1", nil), ("+1", nil), (" 1", nil), ("1:", nil), ("/", nil),
        ] as [(String, Int64?)])
    func integers(literal: String, expected: Int64?) {
        let found = Array(literal.utf8).withUnsafeBufferPointer { Int64(decimal: $0) }
        #expect(found == expected)
    }
}
