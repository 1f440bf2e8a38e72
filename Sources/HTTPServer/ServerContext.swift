import EventLoop
import Glibc
import HTTPCore
import Synchronization

/// What the loops of one server share: counts, and nothing that a stream touches.
final class ServerState: Sendable {
    let openConnections = Atomic<Int>(0)
    private let addresses = Mutex<[String: Int]>([:])

    /// - Returns: false when the address has all the connections it may have.
    func admit(_ address: String, limit: Int) -> Bool {
        addresses.withLock { counts in
            let count = counts[address, default: 0]
            if count >= limit { return false }
            counts[address] = count + 1
            return true
        }
    }

    func release(_ address: String) {
        addresses.withLock { counts in
            let count = counts[address, default: 0]
            counts[address] = count > 1 ? count - 1 : nil
        }
    }
}

/// What the connections of one loop share. Never leaves the loop.
final class ServerContext {
    let configuration: ServerConfiguration
    let loop: EventLoop
    let parserLimits = ParserLimits()
    let io: LoopIO
    let responder: any Responder
    let state: ServerState
    /// Set when the server begins to accept; nil where there is no server around the loop.
    var balance: LoopBalance?
    private(set) var isDraining = false
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var lookTimer: LoopTimer?
    private var dateSecond = Int.min
    private var currentDate = HTTPDate(unixSeconds: 0)

    init(configuration: ServerConfiguration, loop: isolated EventLoop, responder: any Responder, state: ServerState) {
        self.configuration = configuration
        self.loop = loop
        io = loop.io
        self.responder = responder
        self.state = state
        lookTimer = LoopTimer { [unowned self] in lookAtReaders() }
    }

    deinit {
        if let lookTimer { io.cancel(lookTimer) }
    }

    /// The value of the Date field, made once a second.
    var date: HTTPDate {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        if time.tv_sec != dateSecond {
            dateSecond = time.tv_sec
            currentDate = HTTPDate(unixSeconds: Int64(time.tv_sec))
        }
        return currentDate
    }

    func remember(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        if let lookTimer, !lookTimer.isArmed { scheduleLook() }
    }

    /// The connection is served by another loop from now on: it counts as before.
    func passOn(_ connection: Connection) { connections[ObjectIdentifier(connection)] = nil }

    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        state.openConnections.subtract(1, ordering: .relaxed)
        if configuration.maxConnectionsPerAddress != nil { state.release(connection.peerAddress) }
    }

    /// One look at all connections from time to time costs less than a timer for each, and nothing for what is sent. It comes
    /// often enough that a client which stands still is cut soon after its time.
    private func scheduleLook() {
        if let lookTimer { io.schedule(lookTimer, after: configuration.writeStallTimeout / 16) }
    }

    private func lookAtReaders() {
        for connection in connections.values { connection.judgeReader() }
        if !connections.isEmpty { scheduleLook() }
    }

    /// Answers in hand are completed with `Connection: close`; idle connections close now.
    func drain() {
        isDraining = true
        for connection in connections.values { connection.closeIfIdle() }
    }
}
