/// Whether rows have had to be waited for lately: then commits release them before they are on the disk, and a flush follows.
struct CrowdMark {
    /// Milliseconds that a wait is remembered for. Then one commit is made without the mark, and shows whether it is still needed.
    private static let memory: Int64 = 1_000
    private var end = Int64.min

    func isCrowded(now: Int64) -> Bool { now < end }

    /// A commit was released early: where the mark was not the reason, its rows were waited for.
    mutating func released(now: Int64) {
        if !isCrowded(now: now) { end = now + Self.memory }
    }
}
