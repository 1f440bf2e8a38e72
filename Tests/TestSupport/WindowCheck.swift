/// Holds admissions against a rate: in every window of time no more is admitted than one minute's worth and what the rate gives. What
/// is given back counts when it is given back.
///
/// Of all windows that end now the worst is known from one number, because each moment adds to all of them alike.
package struct WindowCheck: Sendable {
    private let perMinute: Int64?
    private var taken: Int64 = 0
    /// The most that was given and not taken before any window's begin: units.
    private var worst: Int64 = .min
    private var first: Int64?

    /// - Parameter perMinute: nil for no limit.
    package init(perMinute: Int64?) { self.perMinute = perMinute }

    /// Counts tokens that are taken, or given back where they are negative, at a moment in microseconds; moments never go back.
    /// - Returns: whether every window that ends with it is within its bound. Only admissions have to be: a settlement may drive a
    ///   bucket below zero.
    package mutating func take(_ tokens: Int64, at moment: Int64, isAdmission: Bool) -> Bool {
        guard let perMinute else { return true }
        let begin = first ?? moment
        first = begin
        let given = perMinute * (moment - begin)
        worst = max(worst, given - taken)
        taken += tokens * ModelAccount.unit
        return !isAdmission || taken - given + worst <= perMinute * ModelAccount.unit
    }
}
