import EventLoop
import Glibc

@testable import HTTPClient

/// A server on the test's own loop; what it does with a request is the test's script.
final class ScriptedServer {
    let port: UInt16
    /// Every connection ever accepted, in order.
    private(set) var peers: [Peer] = []
    /// Every request in the order they came, over all connections.
    private(set) var requests: [Peer.Request] = []
    /// Called for each whole request.
    var onRequest: (Peer) -> Void
    /// Called for each connection.
    var onAccept: (Peer) -> Void = { _ in }
    let io: LoopIO
    fileprivate let tls: TLSContext?
    private let acceptor: Acceptor

    init(io: LoopIO, tls: TLSContext? = nil, onRequest: @escaping (Peer) -> Void = { _ in }) throws {
        self.io = io
        self.tls = tls
        self.onRequest = onRequest
        let descriptor = try Socket.listen(host: "127.0.0.1", port: 0)
        port = Socket.localPort(of: descriptor)
        acceptor = Acceptor(descriptor: descriptor)
        acceptor.server = self
        io.register(acceptor, [.readable])
    }

    var url: String { "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)" }

    /// Closes everything, and lets go of the test's closures.
    func stop() {
        acceptor.server = nil
        io.deregister(acceptor, close: true)
        for peer in peers { peer.close() }
        peers = []
        onRequest = { _ in }
        onAccept = { _ in }
    }

    fileprivate func accept() {
        while let descriptor = try? Socket.accept(acceptor.descriptor) {
            let peer = Peer(descriptor: descriptor, server: self)
            peers.append(peer)
            io.register(peer)
            onAccept(peer)
        }
    }

    fileprivate func received(_ request: Peer.Request, from peer: Peer) {
        requests.append(request)
        onRequest(peer)
    }

    private final class Acceptor: Channel {
        weak var server: ScriptedServer?
        override func ready(_ readiness: Readiness) { server?.accept() }
    }
}

/// One connection of the server.
final class Peer: Channel {
    struct Request: Equatable {
        let head: String
        let body: [UInt8]
    }

    private(set) var requests: [Request] = []
    /// The client has closed its side, or broken the connection.
    private(set) var isLeft = false
    private(set) var isClosed = false
    private unowned let server: ScriptedServer
    var io: LoopIO { server.io }
    private let session: TLSSession?
    private var isHandshaking: Bool
    private var received: [UInt8] = []
    private var pending: [UInt8] = []
    private var closesWhenSent = false
    /// Reads nothing: the client's request fills the socket.
    var isDeaf = false

    init(descriptor: Int32, server: ScriptedServer) {
        self.server = server
        session = server.tls.flatMap { TLSSession(accepting: $0, descriptor: descriptor) }
        isHandshaking = server.tls != nil
        super.init(descriptor: descriptor)
    }

    /// Bytes that the client has not taken yet.
    var pendingCount: Int { pending.count }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        pending.append(contentsOf: bytes)
        flush()
    }

    /// One chunk of a chunked body.
    func sendChunk(_ text: String) { send(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n") }

    /// Closes with FIN once everything has been sent.
    func closeWhenSent() {
        closesWhenSent = true
        flush()
    }

    func close() {
        if isClosed { return }
        isClosed = true
        session?.sayFarewell()
        server.io.deregister(self, close: true)
    }

    /// Closes with RST.
    func reset() {
        if isClosed { return }
        Socket.resetOnClose(descriptor)
        close()
    }

    /// Cuts a TLS connection without the farewell that its protocol asks for.
    func cutWithoutFarewell() { Socket.shutdownSending(descriptor) }

    override func ready(_ readiness: Readiness) {
        if isHandshaking {
            switch session?.handshake() {
            case .blocked: return
            case .done: isHandshaking = false
            case .failed, nil: return close()
            }
        }
        if !pending.isEmpty { flush() }
        while !isClosed, !isDeaf {
            switch session?.read(into: server.io.readBuffer) ?? Socket.receive(descriptor, into: server.io.readBuffer) {
            case .moved(let count):
                received.append(contentsOf: server.io.readBuffer[..<count])
                takeRequests()
            case .blocked: return
            case .ended, .failed:
                isLeft = true
                return close()
            }
        }
    }

    private func takeRequests() {
        while let end = received.firstRange(of: Array("\r\n\r\n".utf8)), !isClosed {
            let head = String(decoding: received[..<end.upperBound], as: UTF8.self)
            let length =
                head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
            guard received.count >= end.upperBound + length else { return }
            let request = Request(head: head, body: Array(received[end.upperBound..<end.upperBound + length]))
            received.removeFirst(end.upperBound + length)
            requests.append(request)
            server.received(request, from: self)
        }
    }

    private func flush() {
        if isHandshaking { return }
        while !pending.isEmpty, !isClosed {
            let result = pending.withUnsafeBufferPointer { session?.write($0) ?? Socket.send(descriptor, $0) }
            switch result {
            case .moved(let count): pending.removeFirst(count)
            case .blocked: return
            case .ended, .failed: return close()
            }
        }
        if closesWhenSent { close() }
    }
}

/// Runs a test's body on a fresh loop.
func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = EventLoop(name: "http-client-test")
    loop.start()
    defer { loop.stop() }
    return try await loop.run(body)
}

/// Lets the loop turn until `condition` holds; false when it does not within thirty seconds.
func until(_ io: LoopIO, _ condition: () -> Bool) async -> Bool {
    for _ in 0..<3000 {
        if condition() { return true }
        await io.pause(.milliseconds(10))
    }
    return false
}
