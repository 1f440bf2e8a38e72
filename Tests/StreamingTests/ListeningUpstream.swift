import EventLoop

/// An upstream behind a real socket, on the test's own loop. Each request is answered with the reads it is told to send.
final class ListeningUpstream {
    let port: UInt16
    private(set) var requests: [String] = []
    /// Connections that the other side has ended.
    private(set) var leftCount = 0
    private(set) var acceptedCount = 0
    private let io: LoopIO
    private let answer: [String]
    private let closes: Bool
    private let acceptor: Acceptor
    private var peers: [Peer] = []

    /// - Parameters:
    ///   - answer: what is sent for a request, each part in a send of its own.
    ///   - closes: whether the connection is closed after that.
    init(io: LoopIO, answer: [String], closes: Bool = false) throws {
        self.io = io
        self.answer = answer
        self.closes = closes
        let descriptor = try Socket.listen(host: "127.0.0.1", port: 0)
        port = Socket.localPort(of: descriptor)
        acceptor = Acceptor(descriptor: descriptor)
        acceptor.owner = self
        io.register(acceptor, [.readable])
    }

    func stop() {
        acceptor.owner = nil
        io.deregister(acceptor, close: true)
        for peer in peers { peer.close() }
        peers = []
    }

    private func accept() {
        while let descriptor = try? Socket.accept(acceptor.descriptor) {
            let peer = Peer(descriptor: descriptor, owner: self)
            peers.append(peer)
            acceptedCount += 1
            io.register(peer)
        }
    }

    private final class Acceptor: Channel {
        weak var owner: ListeningUpstream?
        override func ready(_ readiness: Readiness) { owner?.accept() }
    }

    private final class Peer: Channel {
        private weak var owner: ListeningUpstream?
        private var received = ""
        private var isClosed = false

        init(descriptor: Int32, owner: ListeningUpstream) {
            self.owner = owner
            super.init(descriptor: descriptor)
        }

        override func ready(_ readiness: Readiness) {
            while let owner, !isClosed {
                switch Socket.receive(descriptor, into: owner.io.readBuffer) {
                case .moved(let count):
                    received += String(decoding: owner.io.readBuffer[..<count], as: UTF8.self)
                    // Our requests are JSON objects, and end with one brace for `stream_options` and one for all.
                    guard received.hasSuffix("}"), received.contains("\r\n\r\n{") else { continue }
                    owner.requests.append(received)
                    received = ""
                    for part in owner.answer {
                        _ = Array(part.utf8).withUnsafeBufferPointer { Socket.send(descriptor, $0) }
                    }
                    if owner.closes { close() }
                case .blocked: return
                case .ended, .failed:
                    owner.leftCount += 1
                    close()
                }
            }
        }

        func close() {
            guard !isClosed else { return }
            isClosed = true
            owner?.io.deregister(self, close: true)
        }
    }
}
