import Testing

@testable import Streaming

@Suite struct EventScannerTests {
    @Test(
        "a number is an integer where it is written in digits and fits 64 bits",
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", .max), ("9223372036854775808", nil),
            ("-9223372036854775808", .min), ("-9223372036854775809", nil), ("99999999999999999999", nil), ("1.0", nil),
            ("1e2", nil), ("-1E2", nil),
        ] as [(String, Int64?)])
    func integers(literal: String, expected: Int64?) {
        let found = Array(literal.utf8).withUnsafeBufferPointer { EventScanner.integer($0[...]) }
        #expect(found == expected)
    }
}
