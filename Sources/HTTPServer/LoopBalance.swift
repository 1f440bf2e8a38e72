import EventLoop

/// Decides for one loop which of all loops serves a connection.
///
/// They are filled one after the other. What a quiet server has to do is done best by one thread: it sleeps and wakes less often, finds
/// more of its caches warm, and hands nothing over to others. Only a loop that is busy lets the next one have new connections; and
/// where it becomes too busy with those it has, because all of them came in a quiet hour, it gives some away between two requests.
final class LoopBalance {
    /// Milliseconds between two looks at whether connections should go.
    private static let interval: Int64 = 128

    private let own: LoopShare
    private let shares: [LoopShare]
    private let configuration: ServerConfiguration
    private let io: LoopIO
    private var nextLook: Int64 = 0
    private var refuge: LoopShare?
    private var mayLeave = 0

    /// - Parameters:
    ///   - own: of the loop that this is for.
    ///   - shares: those of all loops, in the order in which they are filled.
    init(own: LoopShare, shares: [LoopShare], configuration: ServerConfiguration, io: LoopIO) {
        self.own = own
        self.shares = shares
        self.configuration = configuration
        self.io = io
    }

    /// The loop for a new connection: the first that has room, or else the least busy one.
    func place() -> LoopShare {
        var least = (share: own, busyness: Double.infinity)
        for share in shares {
            let busyness = share.expectedBusyness
            if busyness < configuration.fillLoopsTo { return share }
            if busyness < least.busyness { least = (share, busyness) }
        }
        return least.share
    }

    /// Where a connection that is between two requests goes, if it should. Of the loop's connections an eighth goes at a time, so
    /// that two loops do not pass all of theirs to and fro.
    func wayOut() -> LoopShare? {
        if io.now >= nextLook { look() }
        guard mayLeave > 0, let refuge else { return nil }
        mayLeave -= 1
        return refuge
    }

    private func look() {
        nextLook = io.now + Self.interval
        refuge = nil
        guard shares.count > 1, own.busyness >= configuration.relieveLoopsFrom else { return }
        let others = shares.filter { $0 !== own }.map { (share: $0, busyness: $0.expectedBusyness) }
        guard let idlest = others.min(by: { $0.busyness < $1.busyness }), idlest.busyness < configuration.fillLoopsTo else {
            return
        }
        refuge = idlest.share
        mayLeave = own.openConnections / 8 + 1
    }
}
