import EventLoop
import Glibc
import HTTPCore
import HTTPTypes
import Synchronization

/// One client's connection: requests in, one answer at a time out, and the client's leaving noticed while it waits.
final class Connection: Channel {
    private static let numbers = Atomic(0)

    let number = Connection.numbers.add(1, ordering: .relaxed).newValue
    let service: Service
    private var reader = RequestReader()
    /// The completion being answered. While there is one, nothing is read: the next request waits in the socket.
    private var exchange: Exchange?
    /// Bytes that the socket has not taken yet, from `backlogStart` on.
    private var backlog: [UInt8] = []
    private var backlogStart = 0
    private var isClosed = false
    private var closesWhenSent = false
    private var trickler: Trickler?
    private var afterBacklog: (() -> Void)?
    /// Bytes that the socket took, over the connection's life.
    private(set) var bytesSent = 0

    init(descriptor: Int32, service: Service) {
        self.service = service
        super.init(descriptor: descriptor)
        service.journal.count {
            $0.connections += 1
            $0.connectionsOpened += 1
        }
    }

    /// Whether bytes wait for the socket: what is sent now would only queue behind them.
    var isBlocked: Bool { backlogStart < backlog.count }

    override func ready(_ readiness: Readiness) {
        if readiness.contains(.readable), exchange == nil { receive() }
        if !isClosed, readiness.contains(.writable), isBlocked { drain() }
        if !isClosed, !readiness.isDisjoint(with: .gone) { peerLeft(byReset: readiness.contains(.failed)) }
    }

    // MARK: Receiving

    private func receive() {
        while !isClosed, exchange == nil {
            switch Socket.receive(descriptor, into: service.io.readBuffer) {
            case .moved(let count):
                reader.append(UnsafeBufferPointer(rebasing: service.io.readBuffer[..<count]))
                answerWhatCame()
            case .blocked: return
            case .ended: return peerLeft(byReset: false)
            case .failed: return peerLeft(byReset: true)
            }
        }
    }

    private func answerWhatCame() {
        do throws(HTTPParseError) {
            while !isClosed, exchange == nil {
                switch try reader.next() {
                case .needMore: return
                case .expectsContinue: send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
                case .request(let request): answer(request)
                }
            }
        } catch {
            var head: [UInt8] = []
            let body = APIError.badRequest("malformed HTTP: \(error)").body
            AnswerHead(requestID: "req_\(service.randomHex(words: 2))").append(
                to: &head, status: 400, contentType: "application/json", length: body.count, closes: true)
            send(head + body)
            finish(keepsAlive: false)
        }
    }

    private func answer(_ request: ReceivedRequest) {
        if let dialect = Dialect(path: request.path), request.head.method == .post {
            let exchange = Exchange(request: request, dialect: dialect, connection: self)
            self.exchange = exchange
            exchange.begin()
        } else {
            var answer: [UInt8] = []
            ControlRoutes(service: service).answer(request, into: &answer)
            send(answer)
            finish(keepsAlive: request.head.keepAlive)
        }
    }

    // MARK: Sending

    /// Sends bytes, or queues what the socket does not take.
    func send(_ bytes: [UInt8]) {
        if isClosed { return }
        if isBlocked || trickler != nil {
            backlog.append(contentsOf: bytes)
            trickler?.start()
            return
        }
        bytes.withUnsafeBufferPointer { bytes in
            let taken = push(bytes)
            if !isClosed, taken < bytes.count { backlog.append(contentsOf: bytes[taken...]) }
        }
        if isBlocked { exchange?.blockedChanged(true) }
    }

    /// Does `work` once everything has left.
    func whenSent(_ work: @escaping () -> Void) { afterBacklog = work }

    /// Makes the kernel keep fewer bytes back (it doubles the number), so that a client that does not read is felt soon.
    func limitSendBuffer(_ bytes: Int) {
        var bytes = Int32(clamping: bytes)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// From now on bytes leave in small portions.
    func trickle(bytes: Int, interval: Int) {
        trickler = bytes > 0 ? Trickler(connection: self, portion: bytes, interval: interval) : nil
    }

    private func push(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var taken = 0
        while taken < bytes.count {
            switch Socket.send(descriptor, UnsafeBufferPointer(rebasing: bytes[taken...])) {
            case .moved(let count):
                taken += count
                bytesSent += count
            case .blocked, .ended: return taken
            case .failed:
                peerLeft(byReset: true)
                return taken
            }
        }
        return taken
    }

    /// Sends from the backlog.
    /// - Parameter limit: the most bytes to send.
    fileprivate func drain(limit: Int = Int.max) {
        if trickler != nil, limit == Int.max { return }
        let end = backlogStart + min(limit, backlog.count - backlogStart)
        let taken = backlog[backlogStart..<end].withUnsafeBufferPointer { push($0) }
        if isClosed { return }
        backlogStart += taken
        guard backlogStart == backlog.count else { return }
        backlog.removeAll(keepingCapacity: backlog.capacity < 4096)
        backlogStart = 0
        exchange?.blockedChanged(false)
        if closesWhenSent { return close() }
        if let work = afterBacklog {
            afterBacklog = nil
            work()
        } else {
            exchange?.sent()
        }
    }

    // MARK: Ends

    /// The answer is complete: the next request may follow.
    func finish(keepsAlive: Bool) {
        if isClosed { return }
        exchange = nil
        trickler?.stop()
        trickler = nil
        if isBlocked { drain() }
        if isClosed { return }
        guard keepsAlive else {
            if isBlocked { closesWhenSent = true } else { close() }
            return
        }
        // What waits in the reader or the socket gets its turn, but not on this call's stack.
        service.io.atEndOfTurn { [self] in
            if isClosed || exchange != nil { return }
            answerWhatCame()
            receive()
        }
    }

    /// Ends the connection in the middle of an answer.
    func cut(byReset: Bool) {
        if isClosed { return }
        exchange = nil
        if byReset { Socket.resetOnClose(descriptor) }
        close()
    }

    private func peerLeft(byReset: Bool) {
        exchange?.clientLeft(byReset: byReset)
        close()
    }

    private func close() {
        if isClosed { return }
        isClosed = true
        exchange = nil
        trickler?.stop()
        trickler = nil
        afterBacklog = nil
        backlog = []
        backlogStart = 0
        service.io.deregister(self, close: true)
        service.journal.count { $0.connections -= 1 }
    }
}

/// Lets a connection's bytes out a portion at a time.
private final class Trickler: Paced {
    private unowned let connection: Connection
    private let portion: Int
    private let interval: Int
    private var isRunning = false

    init(connection: Connection, portion: Int, interval: Int) {
        self.connection = connection
        self.portion = portion
        self.interval = interval
    }

    func start() {
        if isRunning { return }
        isRunning = true
        wake()
    }

    func stop() { connection.service.pacer.disarm(self) }

    override func wake() {
        let before = connection.bytesSent
        connection.drain(limit: portion)
        isRunning = connection.isBlocked
        // A portion each 50 microseconds at most; a full socket is asked again only now and then.
        let pause = connection.bytesSent == before ? 10_000_000 : max(Int64(interval) * 1_000_000, 50_000)
        if isRunning { connection.service.pacer.arm(self, at: SystemClock.monotonicNanoseconds() + pause) }
    }
}
