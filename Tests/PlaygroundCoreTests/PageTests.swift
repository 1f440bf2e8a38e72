import PlaygroundCore
import Testing

@Suite("Pages and cursors")
struct PageTests {
    private static let cursor = Cursor(
        createdAt: Timestamp(microseconds: 1_763_825_302_123_456), id: UUIDBytes(high: 0x0189_0a5d_ac96_774b, low: .max))

    @Test("cursors read back, also at the ends of their range")
    func roundTrip() {
        for microseconds in [0, -1, .min, .max, 1_763_825_302_123_456] as [Int64] {
            for word in [0, 1, .max] as [UInt64] {
                let cursor = Cursor(createdAt: Timestamp(microseconds: microseconds), id: UUIDBytes(high: word, low: ~word))
                #expect(Cursor(cursor.description) == cursor)
                #expect(cursor.description.utf8.count == 32)
            }
        }
    }

    @Test("a cursor that is cut, longer, padded or in another alphabet is refused")
    func strictCursors() {
        let text = Self.cursor.description
        for broken in [
            "", String(text.dropLast()), text + "A", text + "=", " " + text.dropFirst(), "+" + text.dropFirst(),
            "é" + text.dropFirst(2),
        ] {
            #expect(Cursor(broken) == nil)
        }
    }

    @Test("limits from the query", arguments: [(nil, 50), ("1", 1), ("200", 200), ("050", 50)] as [(String?, Int)])
    func limits(text: String?, expected: Int) throws {
        #expect(try PageRequest(limit: text, cursor: nil).limit == expected)
    }

    @Test(
        "a limit that is none is an error that names it",
        arguments: [
            "", "0", "201", "-1", "+1", "1.0", "1e2", " 1", "99999999999999999999", "two", "１",
        ])
    func badLimits(text: String) {
        do {
            _ = try PageRequest(limit: text, cursor: nil)
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.code == .invalidRequest)
            #expect(error.param == "limit")
        }
    }

    @Test("a cursor in the query is taken or refused as invalid_cursor")
    func cursors() throws {
        #expect(try PageRequest(limit: nil, cursor: Self.cursor.description).cursor == Self.cursor)
        do {
            _ = try PageRequest(limit: nil, cursor: "x")
            Issue.record("a bad cursor was taken")
        } catch {
            #expect(error.code == .invalidCursor)
        }
    }
}
