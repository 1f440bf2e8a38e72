package import EventLoop
import Synchronization

/// An HTTP/1.1 server over several loops that share one listening socket and the counts of connections.
package final class Server: Sendable {
    private struct Part: Sendable {
        let share: LoopShare
        let listener: LoopBound<Listener>
    }

    private let parts: [Part]
    private let listener: Int32
    private let state: ServerState
    /// The port it listens on.
    package let port: UInt16

    /// Binds, makes each loop's responder on its loop, and begins to accept.
    /// - Throws: ``SocketError`` when the address cannot be bound, or what `makeResponder` throws.
    package init(
        configuration: ServerConfiguration, loops: [EventLoop],
        makeResponder: @escaping @Sendable (isolated EventLoop) async throws -> any Responder
    ) async throws {
        let state = ServerState()
        var shares: [LoopShare] = []
        for loop in loops {
            let context = try await loop.run { loop in
                let responder = try await makeResponder(loop)
                return LoopBound(
                    ServerContext(configuration: configuration, loop: loop, responder: responder, state: state), on: loop)
            }
            shares.append(LoopShare(loop: loop, context: context))
        }
        let listener = try Socket.listen(host: configuration.host, port: configuration.port)
        Socket.boundUnsent(listener, bytes: configuration.highWatermark)
        var parts: [Part] = []
        for share in shares {
            let channel = try await share.loop.run { [shares] loop in
                let context = share.context.value(on: loop)
                let balance = LoopBalance(own: share, shares: shares, configuration: configuration, io: loop.io)
                context.balance = balance
                let channel = Listener(descriptor: listener, context: context, balance: balance)
                loop.io.register(channel, .sharedListener)
                return LoopBound(channel, on: loop)
            }
            parts.append(Part(share: share, listener: channel))
        }
        self.parts = parts
        self.listener = listener
        self.state = state
        port = Socket.localPort(of: listener)
    }

    /// Connections open now, over all loops.
    package var openConnections: Int { state.openConnections.load(ordering: .relaxed) }

    /// Closes the listening socket and idle connections; answers in hand are completed with `Connection: close`. Called once.
    package func beginDraining() async throws {
        for part in parts { try await part.share.loop.run { loop in part.listener.value(on: loop).stop() } }
        Socket.close(listener)
        for part in parts { try await part.share.loop.run { loop in part.share.context.value(on: loop).drain() } }
    }
}
