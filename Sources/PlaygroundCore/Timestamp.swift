package import StrictJSON

/// Microseconds since 1970, UTC: read at the edge and passed in wherever time matters.
package typealias WallClock = @Sendable () -> Int64

/// A moment in UTC, to the microsecond; in text RFC 3339 with milliseconds: `2026-11-22T15:04:05.678Z`.
package struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970, leap seconds not counted.
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }
}

extension Timestamp: LosslessStringConvertible, JSONWritable {
    /// RFC 3339 in UTC, cut (not rounded) to milliseconds. A year beyond four digits, which RFC 3339 does not have, stands in front
    /// as it is.
    package var description: String {
        let (year, text) = characters
        let plain = text.span.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        return Self.plainYears.contains(year) ? plain : "\(year)\(plain.dropFirst(4))"
    }

    /// The year, and the whole text where it is one of the `plainYears`. No string: every log line has one.
    private var characters: (year: Int64, text: InlineArray<24, UInt8>) {
        let milliseconds = microseconds.flooredQuotient(1_000)
        let seconds = milliseconds.quotient.flooredQuotient(1_000)
        let days = seconds.quotient.flooredQuotient(86_400)
        let (year, month, day) = Self.date(days: days.quotient)
        let second = days.remainder
        var text = InlineArray<24, UInt8>(repeating: 0)
        var end = 0
        func put(_ value: Int64, _ width: Int, _ delimiter: Unicode.Scalar) {
            var rest = value
            for place in (end..<end + width).reversed() {
                text[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            text[end + width] = UInt8(ascii: delimiter)
            end += width + 1
        }
        put(year, 4, "-")
        put(month, 2, "-")
        put(day, 2, "T")
        put(second / 3_600, 2, ":")
        put(second / 60 % 60, 2, ":")
        put(second % 60, 2, ".")
        put(seconds.remainder, 3, "Z")
        return (year, text)
    }

    private static let plainYears: ClosedRange<Int64> = 0...9_999

    /// Reads RFC 3339 with any offset and any number of decimals (what goes beyond microseconds is cut); nil for
    /// anything else, for days that do not exist and for leap seconds.
    package init?(_ text: String) {
        var reader = Digits(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), reader.take("T") || reader.take("t"),
            let hour = reader.number(2), reader.take(":"), let minute = reader.number(2), reader.take(":"),
            let second = reader.number(2), let fraction = reader.fraction(), let offset = reader.offsetMinutes(), reader.isAtEnd,
            (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year), hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second
        microseconds = seconds * 1_000_000 + fraction
    }

    package func write(to writer: inout JSONWriter) {
        let (year, text) = characters
        if Self.plainYears.contains(year) { writer.string(escaped: text.span) } else { writer.string(description) }
    }

    // MARK: The proleptic Gregorian calendar, counted from 1 March of the year 0 so that a leap day is a year's last

    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredQuotient(146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredQuotient(400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Reads fixed-width numbers off the front of a text.
private struct Digits {
    let bytes: [UInt8]
    var index = 0

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func digit() -> Int64? {
        guard index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 else { return nil }
        index += 1
        return Int64(digit)
    }

    mutating func number(_ width: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<width {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// The microseconds after the seconds: none, or a point and at least one digit.
    mutating func fraction() -> Int64? {
        guard take(".") else { return 0 }
        var value: Int64 = 0
        var weight: Int64 = 100_000
        guard let first = digit() else { return nil }
        value += first * weight
        while let digit = digit() {
            weight /= 10
            value += digit * weight
        }
        return value
    }

    /// The minutes by which the local time is ahead of UTC.
    mutating func offsetMinutes() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let isBehind = take("-")
        guard isBehind || take("+"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else {
            return nil
        }
        return (isBehind ? -1 : 1) * (hours * 60 + minutes)
    }
}

extension Int64 {
    /// Division that rounds down, so that moments before 1970 have remainders that are not negative.
    fileprivate func flooredQuotient(_ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
