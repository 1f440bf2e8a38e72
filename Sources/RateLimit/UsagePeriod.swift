package import PlaygroundCore

/// The days that a report of usage is about, by UTC: those on which completions were admitted.
package struct UsagePeriod: Sendable, Equatable {
    /// Of a report that names only one of its ends, or none.
    package static let defaultDays = 30
    /// The most days of a report over the API.
    package static let longest = 366

    /// The first and the last day, both included; nil for the last 30 days, as the database knows today.
    package let days: ClosedRange<CalendarDate>?

    /// Reads `from` and `to`, nil where absent: 30 days up to today, or from the one or up to the other that is named. Throws
    /// `invalid_request`.
    /// - Parameter longest: how many days there may be; nil for any number.
    package init(from: String?, to: String?, longest: Int? = UsagePeriod.longest) throws(ServiceError) {
        var errors: [FieldError] = []
        let first = Self.date(from, "from", &errors)
        let last = Self.date(to, "to", &errors)
        if let first, let last {
            if last < first {
                errors.append(FieldError("to", .outOfRange, "to has to be no earlier than from"))
            } else if let longest, last.number - first.number >= longest {
                errors.append(FieldError("to", .outOfRange, "to has to be within \(longest) days from `from`, both included"))
            }
        }
        guard errors.isEmpty else { throw ServiceError(fields: errors) }
        let others = Self.defaultDays - 1
        switch (first, last) {
        case (let first?, let last?): days = first...last
        case (let first?, nil): days = first...first.advanced(by: others)
        case (nil, let last?): days = last.advanced(by: -others)...last
        case (nil, nil): days = nil
        }
    }

    private static func date(_ text: String?, _ name: String, _ errors: inout [FieldError]) -> CalendarDate? {
        guard let text else { return nil }
        if let date = CalendarDate(text) { return date }
        errors.append(FieldError(name, .invalidValue, "\(name) has to be a date like 2026-11-22"))
        return nil
    }
}
