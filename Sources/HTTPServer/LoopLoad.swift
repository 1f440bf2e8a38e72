/// How busy a loop is: the part of one processor's time that its thread has had lately, and what it was given since. Pure, in
/// nanoseconds that are passed in.
struct LoopLoad {
    /// The busy part is that of so long a time at least.
    static let period: Int64 = 100_000_000
    /// What a connection is taken to need until it has shown what it does: a crowd that comes at once is not one loop's.
    static let perArrival = 0.005
    /// What every open connection is taken to need besides: thousands that are quiet today are not one loop's either.
    static let perConnection = 0.0002

    private var since: Int64
    private var usedThen: Int64
    /// Of a processor, over the last period that was measured. From 0 on; 1 is all of it.
    private(set) var part = 0.0
    private var given = 0

    /// - Parameter used: processor time of the loop's thread.
    init(now: Int64, used: Int64) {
        since = now
        usedThen = used
    }

    /// Begins another period where the last one is over.
    mutating func look(now: Int64, used: Int64) {
        if now - since < Self.period { return }
        part = Double(used - usedThen) / Double(now - since)
        since = now
        usedThen = used
        given = 0
    }

    /// The part, and what its connections may come to need.
    func expected(connections: Int) -> Double {
        part + Double(given) * Self.perArrival + Double(connections) * Self.perConnection
    }

    /// A connection was given to the loop.
    mutating func give() { given += 1 }
}
