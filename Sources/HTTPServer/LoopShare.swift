import EventLoop
import Synchronization

/// One loop as the others see it: how busy it is, and where a connection is handed to it. Looked at when a connection comes or moves,
/// and never for what a stream sends.
final class LoopShare: Sendable {
    /// A connection on its way to a loop, from the listener or from another loop.
    struct Arrival: Sendable {
        let descriptor: Int32
        let peerAddress: String
        var isOverflow = false
        /// Requests that it has carried on other loops.
        var requestCount = 0
    }

    let loop: EventLoop
    let context: LoopBound<ServerContext>
    private let load: Mutex<LoopLoad>
    private let count = Atomic<Int>(0)

    init(loop: EventLoop, context: LoopBound<ServerContext>) {
        self.loop = loop
        self.context = context
        load = Mutex(LoopLoad(now: SystemClock.monotonicNanoseconds(), used: loop.processorTime))
    }

    /// Connections given to the loop that are neither closed nor gone to another.
    var openConnections: Int { count.load(ordering: .relaxed) }

    /// The part of a processor that the loop has had lately.
    var busyness: Double { look().part }

    /// The same, and what its connections may come to need.
    var expectedBusyness: Double { look().expected(connections: openConnections) }

    private func look() -> LoopLoad {
        let (now, used) = (SystemClock.monotonicNanoseconds(), loop.processorTime)
        return load.withLock { load in
            load.look(now: now, used: used)
            return load
        }
    }

    /// Has the connection served by this loop.
    func take(_ arrival: Arrival) {
        count.add(1, ordering: .relaxed)
        load.withLock { $0.give() }
        loop.spawn { [self] loop in
            let context = context.value(on: loop)
            let connection = Connection(arrival, context: context, share: self)
            context.remember(connection)
            await connection.run()
        }
    }

    /// A connection has closed, or gone to another loop.
    func letGo() { count.subtract(1, ordering: .relaxed) }
}
