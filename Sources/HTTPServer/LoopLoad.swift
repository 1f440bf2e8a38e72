/// How busy a loop is: the part of one processor's time that its thread has had lately, and what it was given since. Pure, in
/// nanoseconds that are passed in.
struct LoopLoad {
    /// The busy part is that of so long a time at least.
    static let period: Int64 = 100_000_000
    /// What a connection is taken to need until it has shown what it does: a crowd that comes at once is not one loop's.
    static let perConnection = 0.005

    private var since: Int64
    private var usedThen: Int64
    private var part = 0.0
    private var given = 0

    /// - Parameter used: processor time of the loop's thread.
    init(now: Int64, used: Int64) {
        since = now
        usedThen = used
    }

    /// From 0 on; 1 is all of a processor.
    mutating func value(now: Int64, used: Int64) -> Double {
        if now - since >= Self.period {
            part = Double(used - usedThen) / Double(now - since)
            since = now
            usedThen = used
            given = 0
        }
        return part + Double(given) * Self.perConnection
    }

    /// A connection was given to the loop.
    mutating func give() { given += 1 }
}
