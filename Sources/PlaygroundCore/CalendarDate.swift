package import StrictJSON

/// A day of UTC, in text `2026-11-22`.
package struct CalendarDate: Sendable, Hashable, Comparable {
    /// The days that are read: moments of them fit everywhere, some hundred days more or less included.
    package static let range: ClosedRange<Int> = 0...2_932_531
    private static let microseconds: Int64 = 86_400_000_000

    /// Days since 1970-01-01.
    package let number: Int

    package init(number: Int) {
        self.number = number
    }

    package static func < (left: CalendarDate, right: CalendarDate) -> Bool { left.number < right.number }

    /// The day so many days later, or earlier where they are negative.
    package func advanced(by days: Int) -> CalendarDate { CalendarDate(number: number + days) }
}

extension CalendarDate: LosslessStringConvertible, JSONWritable {
    /// Reads four, two and two digits with hyphens between them, from 1970-01-01 to 9998-12-31; nil for anything else and for
    /// days that do not exist.
    package init?(_ text: String) {
        guard text.utf8.count == 10, let midnight = Timestamp(text + "T00:00:00Z") else { return nil }
        let number = Int(midnight.microseconds / Self.microseconds)
        guard midnight.microseconds >= 0, Self.range.contains(number) else { return nil }
        self.number = number
    }

    package var description: String { String(Timestamp(microseconds: Int64(number) * Self.microseconds).description.prefix(10)) }

    package func write(to writer: inout JSONWriter) { writer.string(description) }
}
