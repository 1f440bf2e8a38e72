import EventLoop
import Glibc
import TestSupport

@testable import HTTPServer

/// A connection whose other end is in the test's hand, on the same loop: what happens in which order is the test's choice.
final class ConnectionPair {
    let context: ServerContext
    let connection: Connection
    /// The client's end, non-blocking.
    let client: Int32
    /// For what the client receives.
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 16 * 1024)

    /// - Parameters:
    ///   - sendBuffer: SO_SNDBUF of the server's end, small to have it full while there is more to send.
    ///   - adjust: changes the configuration from its defaults.
    init(
        on loop: isolated EventLoop, counts: EchoCounts, sendBuffer: Int32? = nil,
        _ adjust: (inout ServerConfiguration) -> Void = { _ in }
    ) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
            throw TestFailure("no socket pair: \(String(cString: strerror(errno)))")
        }
        client = ends[1]
        if var size = sendBuffer {
            setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        context = .echo(on: loop, counts: counts, adjust)
        connection = Connection(.init(descriptor: ends[0], peerAddress: ""), context: context)
        context.remember(connection)
    }

    /// Starts to serve it beside the test, which goes on first.
    func start(on loop: isolated EventLoop) {
        let bound = LoopBound(connection, on: loop)
        loop.spawn { loop in await bound.value(on: loop).run() }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        precondition(bytes.withUnsafeBufferPointer { Socket.send(client, $0) } == .moved(bytes.count), "the socket is full")
    }

    /// What the server has sent up to now.
    func received() -> String {
        var text = ""
        while case .moved(let count) = Socket.receive(client, into: buffer) {
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    deinit {
        Socket.close(client)
        buffer.deallocate()
    }
}

extension ServerContext {
    /// That of a loop without a server around it.
    static func echo(
        on loop: isolated EventLoop, counts: EchoCounts, _ adjust: (inout ServerConfiguration) -> Void = { _ in }
    ) -> ServerContext {
        var configuration = ServerConfiguration()
        adjust(&configuration)
        return ServerContext(
            configuration: configuration, loop: loop,
            responder: EchoResponder(loop: 0, io: loop.io, counts: counts), state: ServerState())
    }
}

extension LoopShare {
    /// The listener of a loop that is the only one.
    func listener(on descriptor: Int32, _ context: ServerContext) -> Listener {
        Listener(
            descriptor: descriptor, context: context,
            balance: LoopBalance(own: self, shares: [self], configuration: context.configuration, io: context.io))
    }
}
