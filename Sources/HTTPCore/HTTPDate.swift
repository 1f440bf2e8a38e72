/// A Date field's value, `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate, RFC 9110 5.6.7): 29 bytes without allocation.
package struct HTTPDate: Sendable {
    /// Bytes of every such date.
    package static let length = 29

    private var text: InlineArray<29, UInt8>

    /// The date of a moment in seconds since 1970-01-01 00:00:00 UTC. Moments outside the years 0 to 9999 are clamped.
    package init(unixSeconds: Int64) {
        let seconds = min(max(unixSeconds, -62_167_219_200), 253_402_300_799)
        text = InlineArray(repeating: UInt8.space)
        let day = Int((seconds - Self.modulo(seconds, 86400)) / 86400)
        let second = Int(Self.modulo(seconds, 86400))
        let (year, month, dayOfMonth) = Self.civil(day: day)
        // 1970-01-01 was a Thursday.
        put("SunMonTueWedThuFriSat", Int(Self.modulo(Int64(day) + 4, 7)) * 3, at: 0)
        text[3] = 0x2c
        put(dayOfMonth, at: 5)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", (month - 1) * 3, at: 8)
        put(year / 100, at: 12)
        put(year % 100, at: 14)
        put(second / 3600, at: 17)
        text[19] = 0x3a
        put(second / 60 % 60, at: 20)
        text[22] = 0x3a
        put(second % 60, at: 23)
        put("GMT", 0, at: 26)
    }

    /// The moment of a date that is written so, in seconds since 1970-01-01 00:00:00 UTC; nil for any other text.
    package static func unixSeconds(of text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == length else { return nil }
        func number(_ offset: Int, digits: Int) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[offset..<offset + digits] {
                guard byte &- 0x30 < 10 else { return nil }
                value = value * 10 + Int64(byte &- 0x30)
            }
            return value
        }
        let months = stride(from: 0, to: 36, by: 3).map { Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)[$0..<$0 + 3] }
        guard let year = number(12, digits: 4), let month = months.firstIndex(where: { $0.elementsEqual(bytes[8..<11]) }),
            let day = number(5, digits: 2), let hour = number(17, digits: 2), let minute = number(20, digits: 2),
            let second = number(23, digits: 2)
        else { return nil }
        let seconds = dayNumber(year, Int64(month) + 1, day) * 86400 + hour * 3600 + minute * 60 + second
        // Written again it is the same: so there is such a day, of that name, and everything between the numbers is right.
        return HTTPDate(unixSeconds: seconds).string == text ? seconds : nil
    }

    /// The 29 bytes.
    package func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        text.span.withUnsafeBufferPointer { body($0) }
    }

    /// The date as text.
    package var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    private mutating func put(_ twoDigits: Int, at offset: Int) {
        text[offset] = 0x30 + UInt8(truncatingIfNeeded: twoDigits / 10)
        text[offset + 1] = 0x30 + UInt8(truncatingIfNeeded: twoDigits % 10)
    }

    private mutating func put(_ names: StaticString, _ start: Int, at offset: Int) {
        for index in 0..<3 { text[offset + index] = names.utf8Start[start + index] }
    }

    private static func modulo(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }

    /// The number of a day, 0 for 1970-01-01: the other way round.
    private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // No era is negative from year 1 on; in year 0 January and February are of the era before.
        let shifted = year - (month <= 2 ? 1 : 0) + 400
        let (era, yearOfEra) = (shifted / 400 - 1, shifted % 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Year, month and day of a day number, in the proleptic Gregorian calendar. Counted in eras of 400 years that begin on
    /// 1 March, so that the leap day is the last of its year.
    private static func civil(day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
