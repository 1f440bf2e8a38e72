import EventLoop
import HTTPCore
import HTTPTypes

/// One client's connection: its task serves requests one after another, top to bottom; its socket is served by callbacks.
///
/// What can be answered at once is answered in the callback that brought it, and the task sleeps on: waking it, and another for
/// the answer, cost 11,000 instructions of the 26,000 that `GET /healthz` took. Confined to its loop. Input is read only while a
/// request is awaited, so what a client pipelines behind a running answer waits in the kernel.
final class Connection: Channel {
    /// What the one timer is measuring.
    enum Wait {
        case nothing, firstByte, idle, head, body, linger
    }

    /// How much of the body of the request in hand has been taken from the connection.
    enum BodyState {
        case done
        case unread(BodyFraming)
        /// Given up in the middle: the connection ends after the answer.
        case abandoned
    }

    /// What a look at the input came to, all that could be answered at once being answered.
    enum Turn {
        /// There is nothing to do until more comes.
        case rests
        /// A request whose answer, or whose end, has to be waited for.
        case awaits(Request, Reply)
        /// An answer is on its way that does not let the next request follow at once.
        case answered(mayGoOn: Bool)
        /// What came is no request.
        case refused(RequestError)
        /// No further request can be served.
        case over
    }

    /// Requests of one client that are answered in a row while others wait.
    static let longestBurst = 16

    let context: ServerContext
    /// Beyond capacity: answers one request, and that with 503 unless the responder lets it pass.
    let isOverflow: Bool
    var parser: RequestParser
    var inbox: [UInt8] = []
    var outbox: [UInt8] = []
    var outboxStart = 0
    var isThrottled = false
    /// Set while the client is owed something, as of the last look.
    var sendPace: SendPace?
    var canRead = false
    var peerHasFinished = false
    var isGone = false
    var hasTimedOut = false
    var wait = Wait.nothing
    var waiter: UnsafeContinuation<Void, Never>?
    /// The task waits for a request, not for anything that belongs to one.
    var isAwaitingRequest = false
    var turn = Turn.rests
    var timer: LoopTimer?
    var stream: ResponseStream?
    var bodyState = BodyState.done
    var expectsContinue = false
    var requestCount = 0
    /// Requests served since this connection last waited for one.
    var burst = 0
    let peerAddress: String

    init(descriptor: Int32, peerAddress: String, context: ServerContext, isOverflow: Bool) {
        self.peerAddress = peerAddress
        self.context = context
        self.isOverflow = isOverflow
        parser = RequestParser(limits: context.parserLimits)
        super.init(descriptor: descriptor)
        timer = LoopTimer { [unowned self] in timeIsUp() }
    }

    // MARK: The straight line

    /// Serves requests until either side has had enough, then closes.
    func run() async {
        context.io.register(self)
        arm(.firstByte, isOverflow ? context.configuration.overflowTimeout : context.configuration.firstByteTimeout)
        var mayGoOn = true
        serving: while mayGoOn {
            switch await nextTurn() {
            case .rests: continue
            case .awaits(let request, let reply): mayGoOn = await serve(request, reply)
            case .answered(let mayContinue):
                await flushed()
                mayGoOn = mayContinue && !isGone
            case .refused(let error):
                await refuse(error)
                mayGoOn = false
            case .over: break serving
            }
        }
        // Between two requests there is no answer that a reset could take along; after a refusal there is.
        if !mayGoOn || !isBodyTaken { await linger() }
        close()
    }

    /// Answers a request as far as that goes without waiting.
    /// - Returns: nil when the answer is out and the next request may follow.
    func answer(_ request: Request) -> Turn? {
        let reply: Reply
        if isOverflow, let refusal = context.responder.refuseOverload(request) {
            reply = .response(refusal)
        } else if announcesTooMuch {
            reply = .response(context.responder.refuseBody(of: request))
        } else {
            reply = context.responder.respond(to: request)
        }
        guard case .response(let response) = reply, stream == nil, isBodyTaken else { return .awaits(request, reply) }
        let mayGoOn = mayContinue(after: request)
        send(response, request.responseFields, to: request.head.method, keepAlive: mayGoOn)
        return mayGoOn && outbox.isEmpty && !isGone ? nil : .answered(mayGoOn: mayGoOn)
    }

    /// Waits for an answer and sends it.
    /// - Returns: whether the connection may carry another request.
    func serve(_ request: Request, _ first: Reply) async -> Bool {
        var reply = first
        while true {
            if case .awaited(let work) = reply { reply = await onOwnTask(work) }
            guard case .deferred(let work) = reply else { break }
            reply = await work()
        }
        guard case .response(let response) = reply, stream?.isCommitted != true else {
            // A stream that has begun is the answer, whatever else is returned.
            let isWhole = stream?.isFinished == true && stream?.keepsAlive == true
            endStream()
            await flushed()
            return isWhole && !isGone && mayContinue(after: request)
        }
        endStream()
        if let error = await takeUnreadBody() {
            await refuse(error, request.head.method)
            return false
        }
        let continues = mayContinue(after: request)
        send(response, request.responseFields, to: request.head.method, keepAlive: continues)
        await flushed()
        return continues && !isGone
    }

    private func onOwnTask(_ work: @escaping () async -> Reply) async -> Reply {
        await withUnsafeContinuation { continuation in
            // It stays on this loop: the task is one of its tasks.
            nonisolated(unsafe) let work = work
            context.loop.spawn { _ in
                // Handed from one task of this loop to another, neither of which goes on with it.
                nonisolated(unsafe) let reply = await work()
                continuation.resume(returning: reply)
            }
        }
    }

    func mayContinue(after request: Request) -> Bool {
        isBodyTaken && request.head.keepAlive && requestCount < context.configuration.maxRequestsPerConnection
            && !context.isDraining && !isOverflow
    }

    var isBodyTaken: Bool {
        if case .done = bodyState { true } else { false }
    }

    /// Closes this connection if it is between two requests.
    func closeIfIdle() {
        guard wait == .idle || wait == .firstByte else { return }
        // Its readiness may wait in a batch to come: one look at the socket tells a request that has arrived.
        canRead = true
        wake()
    }

    // MARK: The socket

    override func ready(_ readiness: Readiness) {
        if readiness.contains(.writable), !outbox.isEmpty { flush() }
        if readiness.contains(.readable) { canRead = true }
        if readiness.contains(.failed) {
            leave()
        } else if !readiness.isDisjoint(with: [.peerClosed, .hungUp]) {
            peerHasFinished = true
            // A client that awaits a stream and closes its side has left; one that awaits a plain answer still gets it.
            if stream != nil { leave() }
        }
        wake()
    }

    enum Fill { case some, blocked, ended }

    func fill() -> Fill {
        if isGone { return .ended }
        guard canRead else { return peerHasFinished ? .ended : .blocked }
        let buffer = context.io.readBuffer
        switch Socket.receive(descriptor, into: buffer) {
        case .moved(let count):
            // A short read has drained the socket: the next bytes make a new edge.
            if count < buffer.count { canRead = false }
            inbox.append(contentsOf: buffer[..<count])
            return .some
        case .blocked:
            canRead = false
            return .blocked
        case .ended:
            peerHasFinished = true
            canRead = false
            return .ended
        case .failed:
            leave()
            return .ended
        }
    }

    /// The peer is gone or was cut: whatever streams to it is told at once.
    func leave() {
        if isGone { return }
        isGone = true
        outbox = []
        outboxStart = 0
        let source = stream?.source
        stream?.source = nil
        source?.sinkClosed()
        wake()
    }

    func suspend() async {
        await withUnsafeContinuation { waiter = $0 }
    }

    func wake() {
        guard let waiting = waiter else { return }
        waiter = nil
        if isAwaitingRequest {
            turn = takeRequests()
            if case .rests = turn {
                waiter = waiting
                return
            }
        }
        waiting.resume()
    }

    func arm(_ what: Wait, _ after: Duration) {
        guard let timer else { return }
        wait = what
        hasTimedOut = false
        context.io.schedule(timer, after: after)
    }

    func disarm() {
        wait = .nothing
        hasTimedOut = false
        if let timer { context.io.cancel(timer) }
    }

    func timeIsUp() {
        if wait == .nothing { return }
        hasTimedOut = true
        wake()
    }

    /// Lets the client read the last answer before it sees a reset: half-close, then take in what still comes, bounded.
    func linger() async {
        guard !isGone, canRead || !peerHasFinished else { return }
        Socket.shutdownSending(descriptor)
        arm(.linger, context.configuration.lingerTimeout)
        var taken = inbox.count
        while taken <= context.configuration.lingerBytes, !hasTimedOut {
            inbox.removeAll(keepingCapacity: true)
            switch fill() {
            case .some: taken += inbox.count
            case .ended: return
            case .blocked: await suspend()
            }
        }
    }

    func close() {
        disarm()
        timer = nil
        isGone = true
        context.io.deregister(self, close: true)
        context.forget(self)
    }
}
