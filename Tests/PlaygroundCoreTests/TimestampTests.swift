import Foundation
import PlaygroundCore
import StrictJSON
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "text is RFC 3339 in UTC, cut to milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_999, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_763_825_302_123_456, "2025-11-22T15:28:22.123Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"), (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func text(microseconds: Int64, expected: String) {
        #expect(Timestamp(microseconds: microseconds).description == expected)
        #expect(Timestamp(microseconds: microseconds).jsonText == "\"\(expected)\"")
    }

    @Test(
        "offsets and decimals are read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01T01:30:00+01:30", 0),
            ("1969-12-31T19:00:00-05:00", 0), ("1970-01-01T00:00:00.5Z", 500_000), ("1970-01-01T00:00:00.1234567Z", 123_456),
            ("1970-01-01T00:00:00-00:00", 0), ("1969-12-31T23:59:59.999999Z", -1),
        ] as [(String, Int64)])
    func reading(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(
        "what is no moment in RFC 3339 is refused",
        arguments: [
            "", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-1-01T00:00:00Z", "1970-00-01T00:00:00Z",
            "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "1970-04-31T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1990-12-31T23:59:60Z", "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00Zx", "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00,5Z",
        ])
    func refusals(text: String) {
        #expect(Timestamp(text) == nil)
    }

    // From 1600 on: before October 1582 Foundation counts by the Julian calendar, which RFC 3339 does not.
    @Test("agrees with Foundation's calendar on moments from 1600 to 9999")
    func differential() throws {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: false)
        for seconds in stride(from: Int64(-11_676_096_000), to: 253_402_300_799, by: 31_622_401 * 3) {
            let stamp = Timestamp(microseconds: seconds * 1_000_000)
            let text = Date(timeIntervalSince1970: Double(seconds)).formatted(style)
            #expect(stamp.description == text.dropLast() + ".000Z")
            #expect(Timestamp(text) == stamp)
        }
    }

    @Test("the ends of 64 bits do not trap")
    func extremes() {
        #expect(!Timestamp(microseconds: .max).description.isEmpty)
        #expect(!Timestamp(microseconds: .min).description.isEmpty)
    }
}
