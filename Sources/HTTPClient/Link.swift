import EventLoop

/// One connection to the origin, plain or TLS, registered edge-triggered for its whole life.
final class Link: BulkChannel {
    /// Who hears of the link's events.
    enum Owner {
        case nobody
        /// Its TLS handshake is under way.
        case attempt(ConnectAttempt)
        /// On lease.
        case exchange(Exchange)
        /// Idle.
        case pool(LinkPool)
    }

    // Unchecked for overlapping accesses: nothing is called while one of these is held.
    @exclusivity(unchecked) var owner = Owner.nobody
    /// Whether it has carried an exchange before: then the server may be closing it just as it is used again.
    private(set) var wasUsed = false
    /// The peer has sent its FIN or an error is pending: no further edge will come, so only a failing read tells the end.
    @exclusivity(unchecked) private(set) var isPeerGone = false
    /// TLS holds bytes back in ways that the socket's readiness does not show.
    let isTLS: Bool
    /// When it became idle, in the loop's milliseconds.
    var idleSince: Int64 = 0
    private let io: LoopIO
    @exclusivity(unchecked) private var isClosed = false
    private let session: TLSSession?

    /// Takes a connected socket over. It is to be registered, and closed with ``close()``.
    init(plain descriptor: Int32, io: LoopIO) {
        self.io = io
        isTLS = false
        session = nil
        super.init(descriptor: descriptor)
    }

    init(_ session: consuming TLSSession, descriptor: Int32, io: LoopIO) {
        self.io = io
        isTLS = true
        self.session = consume session
        super.init(descriptor: descriptor)
    }

    override func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: .gone) { isPeerGone = true }
        switch owner {
        case .exchange(let exchange): exchange.linkReady(self, readiness)
        case .pool(let pool): pool.checkIdle(self)
        case .attempt(let attempt): attempt.handshake()
        case .nobody: break
        }
    }

    func handshake() -> TLSSession.Handshake { session?.handshake() ?? .done }

    @inline(__always)
    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Socket.Transfer {
        if isClosed { return .failed }
        if !isTLS { return Socket.receive(descriptor, into: buffer) }
        return session?.read(into: buffer) ?? .failed
    }

    func write(_ bytes: UnsafeBufferPointer<UInt8>) -> Socket.Transfer {
        if isClosed { return .failed }
        if !isTLS { return Socket.send(descriptor, bytes) }
        return session?.write(bytes) ?? .failed
    }

    /// Whether a read of `count` bytes into `capacity` left nothing to read: the next arrival is then a new edge.
    @inline(__always)
    func isDrained(after count: Int, of capacity: Int) -> Bool { count < capacity && !isTLS && !isPeerGone }

    /// Whether nothing at all waits to be read, which is what a link must be like between exchanges. A TLS record without
    /// data, such as a session ticket, is consumed on the way.
    func isQuiet() -> Bool { read(into: UnsafeMutableBufferPointer(rebasing: io.readBuffer[..<1])) == .blocked }

    /// The exchange is over and the link goes on to the pool.
    func markUsed() { wasUsed = true }

    /// Closes the socket, once: a second time the descriptor could be somebody else's already.
    func close() {
        if isClosed { return }
        isClosed = true
        owner = .nobody
        session?.sayFarewell()
        io.deregister(self, close: true)
    }
}
