import EventLoop
import HTTPCore
import HTTPTypes

/// One client's connection: its task reads requests one after another, top to bottom; its socket is served by callbacks.
///
/// Confined to its loop. Input is read only while a request is awaited, so what a client pipelines behind a running
/// answer waits in the kernel.
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

    /// Requests of one client that are answered in a row while others wait.
    static let longestBurst = 16

    let context: ServerContext
    /// Told when this connection is closed.
    private let share: LoopShare?
    /// Beyond capacity: answers one request, and that with 503 unless the responder lets it pass.
    let isOverflow: Bool
    var parser: RequestParser
    var inbox: [UInt8] = []
    /// Set while the client is owed something, as of the last look.
    var sendPace: SendPace?
    // Unchecked for overlapping accesses, which costs 60 instructions each time: what a stream touches for every event. None is
    // held while anything is called.
    @exclusivity(unchecked) var outbox: [UInt8] = []
    @exclusivity(unchecked) var outboxStart = 0
    @exclusivity(unchecked) var isThrottled = false
    @exclusivity(unchecked) var canRead = false
    @exclusivity(unchecked) var peerHasFinished = false
    @exclusivity(unchecked) var isGone = false
    var hasTimedOut = false
    var wait = Wait.nothing
    var waiter: UnsafeContinuation<Void, Never>?
    var timer: LoopTimer?
    var stream: ResponseStream?
    var bodyState = BodyState.done
    var expectsContinue = false
    var requestCount = 0
    /// Requests served since this connection last waited for anything.
    var burst = 0
    let peerAddress: String

    init(descriptor: Int32, peerAddress: String, context: ServerContext, share: LoopShare? = nil, isOverflow: Bool) {
        self.peerAddress = peerAddress
        self.context = context
        self.share = share
        self.isOverflow = isOverflow
        parser = RequestParser(limits: context.parserLimits)
        super.init(descriptor: descriptor)
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
        await serve(after: nil)
    }

    /// - Parameter done: the request whose deferred work is done, and what came of it.
    private func serve(after done: (request: Request, reply: Reply)?) async {
        var mayGoOn = true
        if let (request, reply) = done {
            if case .deferred(let work) = reply { return begin(work, for: request) }
            mayGoOn = await answer(request, with: reply)
        }
        while mayGoOn, let request = await nextRequest() {
            let reply = await reply(to: request)
            if case .deferred(let work) = reply { return begin(work, for: request) }
            mayGoOn = await answer(request, with: reply)
        }
        // Between two requests there is no answer that a reset could take along; after a refusal there is.
        if !mayGoOn || !isBodyTaken { await linger() }
        close()
    }

    /// Does deferred work in a task of its own, and what follows it in a third.
    private func begin(_ work: @escaping () async -> Reply, for request: Request) {
        // All of it stays on this loop, and nobody else goes on with it.
        nonisolated(unsafe) let (connection, request, work) = (self, request, work)
        context.loop.spawn { _ in
            nonisolated(unsafe) let reply = await work()
            connection.context.loop.spawn { _ in await connection.serve(after: (request, reply)) }
        }
    }

    private func reply(to request: Request) async -> Reply {
        if isOverflow, let refusal = context.responder.refuseOverload(request) { return .response(refusal) }
        if announcesTooMuch { return .response(context.responder.refuseBody(of: request)) }
        return await respond(to: request)
    }

    /// - Returns: whether the connection may carry another request.
    private func answer(_ request: Request, with reply: Reply) async -> Bool {
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

    /// Has the request answered by a task of its own, whose stack is gone when this returns.
    func respond(to request: Request) async -> Reply {
        await withUnsafeContinuation { continuation in
            // Both stay on this loop: the task is one of its tasks.
            nonisolated(unsafe) let (connection, request) = (self, request)
            context.loop.spawn { _ in
                // Handed from one task of this loop to another, neither of which goes on with it.
                nonisolated(unsafe) let reply = await connection.context.responder.respond(to: request)
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

    // MARK: Requests

    func nextRequest() async -> Request? {
        burst += 1
        if burst > Self.longestBurst { await giveWay() }
        if requestCount == 0 {
            arm(.firstByte, isOverflow ? context.configuration.overflowTimeout : context.configuration.firstByteTimeout)
        }
        while true {
            if !inbox.isEmpty {
                do throws(HTTPParseError) {
                    if let head = try parser.parse(inbox.span) {
                        return begin(head)
                    }
                } catch {
                    await refuse(.malformed(error))
                    return nil
                }
                if wait != .head {
                    arm(.head, isOverflow ? context.configuration.overflowTimeout : context.configuration.headTimeout)
                }
            } else if wait == .nothing {
                arm(.idle, context.configuration.keepAliveTimeout)
            }
            switch fill() {
            case .some: continue
            case .ended: return nil
            case .blocked: break
            }
            if hasTimedOut {
                if wait == .head { await refuse(.timedOut) }
                return nil
            }
            if context.isDraining, inbox.isEmpty { return nil }
            await suspend()
        }
    }

    func begin(_ head: RequestHead) -> Request {
        disarm()
        parser.reset()
        requestCount += 1
        let bytes = takeInput(head.length)
        bodyState = .unread(head.framing)
        if case .none = head.framing { bodyState = .done }
        if case .length(0) = head.framing { bodyState = .done }
        expectsContinue = head.expectsContinue
        return Request(head: head, bytes: bytes, connection: self)
    }

    func takeInput(_ count: Int) -> [UInt8] {
        if inbox.count == count {
            let all = inbox
            inbox = []
            return all
        }
        let front = Array(inbox[..<count])
        inbox.removeFirst(count)
        return front
    }

    /// Answers bytes that are no request; the connection then closes, because nobody knows where the next one would begin.
    /// - Parameter method: that of the request, as far as it was understood.
    func refuse(_ error: RequestError, _ method: HTTPRequest.Method? = nil) async {
        bodyState = .abandoned
        disarm()
        let response = context.responder.refuse(error)
        send(response, ResponseFields(), to: method, keepAlive: false)
        await flushed()
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

    func close() {
        if let timer { context.io.cancel(timer) }
        timer = nil
        isGone = true
        context.io.deregister(self, close: true)
        context.forget(self)
        share?.subtract()
    }
}
