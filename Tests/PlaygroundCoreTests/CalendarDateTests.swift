import PlaygroundCore
import Testing

@Suite("A day of UTC")
struct CalendarDateTests {
    @Test(
        "reads back as it was written",
        arguments: [("1970-01-01", 0), ("2026-11-22", 20_779), ("2024-02-29", 19_782), ("9998-12-31", 2_932_531)])
    func roundTrip(text: String, number: Int) throws {
        let date = try #require(CalendarDate(text))
        #expect(date.number == number)
        #expect(date.description == text)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "2026-11-2", "2026-11-022", "2026-11-22T00:00:00Z", "2026-02-29", "2026-13-01", "2026-00-01", "2026/11/22",
            "1969-12-31", "9999-01-01", " 2026-11-2", "+026-11-22", "22.11.2026", "２026-1-1", "2026-11-2é",
        ])
    func refused(text: String) {
        #expect(CalendarDate(text) == nil)
    }

    @Test("has days before and after it, over months and years")
    func neighbours() throws {
        let date = try #require(CalendarDate("2024-02-28"))
        #expect(date.advanced(by: 2).description == "2024-03-01")
        #expect(date.advanced(by: -59).description == "2023-12-31")
        #expect(date < date.advanced(by: 1))
    }
}
