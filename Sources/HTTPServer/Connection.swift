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
        /// Between two requests: another loop goes on with the connection.
        case moves(to: LoopShare)
        /// No further request can be served.
        case over
    }

    /// Whether an answer is to come by a call, and whether what brings it has only just been begun.
    enum Answering { case no, starting, later }

    /// Requests of one client that are answered in a row while others wait.
    static let longestBurst = 16

    let context: ServerContext
    // What a stream touches for every event stands together, in as few lines of the processor's cache as it can. Unchecked for overlapping
    // accesses, which costs 60 instructions each time: none is held while anything is called.
    @exclusivity(unchecked) var outbox: [UInt8] = []
    @exclusivity(unchecked) var outboxStart = 0
    @exclusivity(unchecked) var isThrottled = false
    @exclusivity(unchecked) var canRead = false
    @exclusivity(unchecked) var peerHasFinished = false
    @exclusivity(unchecked) var isGone = false
    /// Told when this connection is closed.
    private let share: LoopShare?
    /// Beyond capacity: answers one request, and that with 503 unless the responder lets it pass.
    let isOverflow: Bool
    var parser: RequestParser
    var inbox: [UInt8] = []
    /// Set while the client is owed something, as of the last look.
    var sendPace: SendPace?
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
    /// No request is looked at before an answer that comes by a call.
    var answering = Answering.no
    /// What the answer that came by a call leaves to be done; nil when the next request may follow.
    var turnAfterAnswer: Turn?
    var requestCount = 0
    /// Of these the ones that it carried before it came to this loop.
    let earlierRequests: Int
    /// Requests served since this connection last waited for one.
    var burst = 0
    let peerAddress: String

    init(_ arrival: LoopShare.Arrival, context: ServerContext, share: LoopShare? = nil) {
        peerAddress = arrival.peerAddress
        isOverflow = arrival.isOverflow
        requestCount = arrival.requestCount
        earlierRequests = arrival.requestCount
        self.context = context
        self.share = share
        parser = RequestParser(limits: context.parserLimits)
        super.init(descriptor: arrival.descriptor)
        timer = LoopTimer { [unowned self] in timeIsUp() }
    }

    // MARK: The straight line

    /// Serves requests until either side has had enough, then closes. Where an answer is deferred work, this task ends before
    /// that is begun: a task keeps the stack it ever needed, and reading and answering need some kilobytes. A stream that is
    /// open for an hour holds only its own frames.
    func run() async {
        context.io.register(self)
        // Accepted when the server had begun to drain: a request that has arrived is answered, and one look tells.
        if context.isDraining { canRead = true }
        // One that has moved here is between two requests.
        if requestCount == 0 {
            arm(.firstByte, isOverflow ? context.configuration.overflowTimeout : context.configuration.firstByteTimeout)
        }
        await serve(after: nil)
    }

    /// - Parameter done: the request whose deferred work is done, and what came of it.
    private func serve(after done: (request: Request, reply: Reply)?) async {
        var mayGoOn = true
        if let (request, reply) = done {
            guard let isOpen = await serve(request, reply) else { return }
            mayGoOn = isOpen
        }
        serving: while mayGoOn {
            switch await nextTurn() {
            case .rests: continue
            case .awaits(let request, let reply):
                guard let isOpen = await serve(request, reply) else { return }
                mayGoOn = isOpen
            case .answered(let mayContinue):
                await flushed()
                mayGoOn = mayContinue && !isGone
            case .refused(let error):
                await refuse(error)
                mayGoOn = false
            case .moves(let share):
                // It may have been cut between the decision and now.
                if isGone || hasTimedOut { break serving }
                return move(to: share)
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
        if case .later(let work) = reply { return start(work, for: request) }
        guard case .response(let response) = reply, stream == nil, dropsArrivedBody() else { return .awaits(request, reply) }
        let mayGoOn = mayContinue(after: request)
        send(response, request.responseFields, to: request.head.method, keepAlive: mayGoOn)
        return mayGoOn && outbox.isEmpty && !isGone ? nil : .answered(mayGoOn: mayGoOn)
    }

    /// Waits for an answer and sends it.
    /// - Returns: whether the connection may carry another request; nil where another task goes on with it.
    private func serve(_ request: Request, _ first: Reply) async -> Bool? {
        var reply = first
        while case .awaited(let work) = reply { reply = await work() }
        if case .later(let work) = reply {
            work { answer in self.begin({ answer }, for: request) }
            return nil
        }
        if case .deferred(let work) = reply {
            begin(work, for: request)
            return nil
        }
        guard case .response(let response) = reply, stream?.isCommitted != true else {
            let mayGoOn = endedStream(of: request)
            await flushed()
            return mayGoOn && !isGone
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

    /// Does deferred work in a task of its own, which then goes on with the connection: until it meets the next such work, when it
    /// ends in its turn.
    private func begin(_ work: @escaping () async -> Reply, for request: Request) {
        // All of it stays on this loop, and nobody else goes on with it.
        nonisolated(unsafe) let (connection, deferred) = (self, DeferredAnswer(request: request, work: work))
        context.loop.spawn { _ in await connection.serve(after: await deferred.done()) }
    }

    /// A stream that has begun is the answer, whatever else is returned.
    /// - Returns: whether the connection may carry another request.
    func endedStream(of request: Request) -> Bool {
        let isWhole = stream?.isFinished == true && stream?.keepsAlive == true
        endStream()
        return isWhole && !isGone && mayContinue(after: request)
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

    override func unsent(_ rest: UnsafeBufferPointer<UInt8>, isBroken: Bool) {
        if isGone { return }
        if isBroken { return leave() }
        keepBack(rest)
        // The client is not idle while it is owed something.
        if wait == .idle { disarm() }
    }

    func close() {
        leaveLoop(closing: true)
        context.forget(self)
    }

    /// Its socket is watched by another loop from now on, which is told at once of what has arrived meanwhile.
    private func move(to other: LoopShare) {
        leaveLoop(closing: false)
        context.passOn(self)
        other.take(.init(descriptor: descriptor, peerAddress: peerAddress, requestCount: requestCount))
    }

    private func leaveLoop(closing: Bool) {
        if let timer { context.io.cancel(timer) }
        timer = nil
        isGone = true
        context.io.deregister(self, close: closing)
        share?.letGo()
    }
}

/// An answer that is worked on. What that takes is let go of when it is done: the task that does it goes on with the connection, which
/// may live long.
private final class DeferredAnswer {
    private let request: Request
    private var work: (() async -> Reply)?

    init(request: Request, work: @escaping () async -> Reply) {
        self.request = request
        self.work = work
    }

    func done() async -> (request: Request, reply: Reply)? {
        guard let work = work.take() else { return nil }
        return (request, await work())
    }
}
