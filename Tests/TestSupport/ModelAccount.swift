/// One row of limits as it ought to be, by an arithmetic of its own: what a user, or the instance, may still spend.
///
/// Levels are whole units, 60,000,000 to a token; moments are microseconds since 1970, days and months the number of their
/// first day since then. Nothing here reads a clock.
package struct ModelAccount: Sendable, Equatable {
    package static let unit: Int64 = 60_000_000
    /// Stands for a bucket without a rate.
    package static let fullLevel: Int64 = 1 << 61
    /// Of the time passed no more than this refills at once.
    private static let longestRefill: Int64 = 3_600_000_000

    package var requestsPerMinute: Int64?
    package var tokensPerMinute: Int64?
    package var requestUnits = fullLevel
    package var tokenUnits = fullLevel
    package var inFlight: Int64 = 0
    package var at: Int64
    /// Nil before the first admission.
    package var day: Int64?
    package var dayTokens: Int64 = 0
    package var month: Int64?
    package var monthTokens: Int64 = 0

    /// Nothing was spent yet.
    package init(at: Int64) { self.at = at }

    /// Time passes, under these rates from now on. Time that runs back changes nothing but the rates.
    package mutating func advance(to clock: Int64, requestsPerMinute: Int64?, tokensPerMinute: Int64?) {
        let elapsed = min(max(0, clock - at), Self.longestRefill)
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        requestUnits = Self.capped(requestUnits + (requestsPerMinute ?? 0) * elapsed, requestsPerMinute)
        tokenUnits = Self.capped(tokenUnits + (tokensPerMinute ?? 0) * elapsed, tokensPerMinute)
        at = max(at, clock)
        let today = UTCCalendar.day(clock)
        if day ?? .min < today { (day, dayTokens) = (today, 0) }
        let month = UTCCalendar.month(clock)
        if self.month ?? .min < month { (self.month, monthTokens) = (month, 0) }
    }

    /// Time passes under the rates there are.
    package mutating func advance(to clock: Int64) {
        advance(to: clock, requestsPerMinute: requestsPerMinute, tokensPerMinute: tokensPerMinute)
    }

    /// Takes so much, or gives it back where it is negative: never above what the buckets hold, below zero if need be. The counts
    /// of day and month are told apart, because what is given back may be of a day that is over.
    package mutating func charge(slots: Int64, requests: Int64, tokens: Int64, ofDay: Int64, ofMonth: Int64) {
        requestUnits = Self.capped(requestUnits - requests * Self.unit, requestsPerMinute)
        tokenUnits = Self.capped(tokenUnits - tokens * Self.unit, tokensPerMinute)
        inFlight += slots
        dayTokens += ofDay
        monthTokens += ofMonth
    }

    /// An admission takes all of it.
    package mutating func admit(_ cost: Int64) { charge(slots: 1, requests: 1, tokens: cost, ofDay: cost, ofMonth: cost) }

    private static func capped(_ level: Int64, _ perMinute: Int64?) -> Int64 {
        perMinute.map { min($0 * unit, level) } ?? fullLevel
    }

    /// Microseconds until so many units are there, rounded up.
    package static func wait(for units: Int64, at level: Int64, _ perMinute: Int64?) -> Int64 {
        guard units > level, let perMinute else { return 0 }
        return (units - level + perMinute - 1) / perMinute
    }
}

/// The calendar of UTC, in days since 1970.
package enum UTCCalendar {
    package static let microsecondsPerDay: Int64 = 86_400_000_000

    /// The day of a moment.
    package static func day(_ clock: Int64) -> Int64 {
        clock >= 0 ? clock / microsecondsPerDay : (clock + 1) / microsecondsPerDay - 1
    }

    /// The first day of a moment's month.
    package static func month(_ clock: Int64) -> Int64 {
        let day = day(clock)
        return day - dayOfMonth(day) + 1
    }

    /// The first day of the month that follows the one that begins on this day.
    package static func monthAfter(_ first: Int64) -> Int64 {
        // No month has more than 31 days, and none less than 28.
        let inNext = first + 31
        return inNext - dayOfMonth(inNext) + 1
    }

    /// Counts off eras of 400 years and years from March to February: then leap days come last and months follow one rule.
    private static func dayOfMonth(_ day: Int64) -> Int64 {
        let fromMarchOfYearZero = day + 719_468
        let dayOfEra = ((fromMarchOfYearZero % 146_097) + 146_097) % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return dayOfYear - (153 * month + 2) / 5 + 1
    }
}
