import Testing

@testable import HTTPCore

@Suite("A date of HTTP")
struct HTTPDateTests {
    @Test("is read back as the moment it was written for, over all years it can name")
    func roundTrip() {
        for seconds in stride(from: Int64(-62_167_219_200), through: 253_402_300_799, by: 86_400 * 37 + 12_345) {
            #expect(HTTPDate.unixSeconds(of: HTTPDate(unixSeconds: seconds).string) == seconds)
        }
        #expect(HTTPDate.unixSeconds(of: "Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
    }

    @Test(
        "is none in any other form, and where there is no such day",
        arguments: [
            "", "0", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 24:49:37 GMT",
            "Thu, 30 Feb 2023 00:00:00 GMT", "Sun, 99 Nov 9999 99:99:99 GMT", "Sun, 6 Nov 1994 08:49:37 GMT ",
            "Sun, -1 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "\u{e9}un, 06 Nov 1994 08:49:37 GM",
        ])
    func other(text: String) { #expect(HTTPDate.unixSeconds(of: text) == nil) }
}
