import EventLoop
import Synchronization

/// Accepts connections on one loop and gives each to the loop that ``LoopBalance`` names. All loops watch the same listening socket;
/// the kernel wakes whichever sleeps.
final class Listener: Channel {
    /// Connections beyond the cap that still get an answer, so that liveness can be seen at capacity.
    private static let overflow = 64
    /// How many are accepted at a time: the other loops take their share, and open connections get their turn.
    private static let batch = 64
    private let configuration: ServerConfiguration
    private let io: LoopIO
    private let balance: LoopBalance
    private let state: ServerState
    private var retry: LoopTimer?

    init(descriptor: Int32, context: ServerContext, balance: LoopBalance) {
        configuration = context.configuration
        io = context.io
        state = context.state
        self.balance = balance
        super.init(descriptor: descriptor)
        retry = LoopTimer { [unowned self] in io.register(self, .sharedListener) }
    }

    override func ready(_ readiness: Readiness) { accept(atMost: Self.batch) }

    private func accept(atMost count: Int) {
        for _ in 0..<count {
            do {
                guard let accepted = try Socket.accept(descriptor) else { return }
                admit(accepted)
            } catch {
                // Out of descriptors: level-triggered readiness would spin, so listening pauses for a moment.
                if let retry {
                    io.deregister(self, close: false)
                    io.schedule(retry, after: .milliseconds(100))
                }
                return
            }
        }
    }

    /// Stops accepting on this loop; the socket itself is closed by the server. What waits in the kernel's queue would be
    /// reset by that: it is taken in first.
    func stop() {
        accept(atMost: Int(Socket.backlog))
        if let retry { io.cancel(retry) }
        retry = nil
        io.deregister(self, close: false)
    }

    private func admit(_ accepted: Int32) {
        let excess = state.openConnections.add(1, ordering: .relaxed).newValue - configuration.maxConnections
        if excess > Self.overflow { return reject(accepted) }
        // Asked for now: once the peer has gone the kernel no longer tells.
        let address = Socket.peerAddress(of: accepted)
        if let limit = configuration.maxConnectionsPerAddress, !state.admit(address, limit: limit) { return reject(accepted) }
        balance.place().take(.init(descriptor: accepted, peerAddress: address, isOverflow: excess > 0))
    }

    private func reject(_ accepted: Int32) {
        state.openConnections.subtract(1, ordering: .relaxed)
        let answer: StaticString =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        _ = Socket.send(accepted, UnsafeBufferPointer(start: answer.utf8Start, count: answer.utf8CodeUnitCount))
        Socket.close(accepted)
    }
}
