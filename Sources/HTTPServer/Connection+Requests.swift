import EventLoop
import HTTPCore
import HTTPTypes

/// How requests are read, and answered where that takes no waiting.
extension Connection {
    /// The next thing that takes waiting; what can be answered at once is answered meanwhile.
    func nextTurn() async -> Turn {
        turn = takeRequests()
        if case .rests = turn {
            isAwaitingRequest = true
            await suspend()
            isAwaitingRequest = false
        }
        defer { turn = .rests }
        return turn
    }

    /// Reads and answers requests until one of them, or the next bytes, have to be waited for.
    func takeRequests() -> Turn {
        if answering != .no { return .rests }
        while true {
            if burst >= Self.longestBurst {
                // The loop looks at its other connections before this one goes on.
                burst = 0
                context.io.atEndOfTurn { [self] in wake() }
                return .rests
            }
            if !inbox.isEmpty {
                do throws(HTTPParseError) {
                    if let head = try parseHead() {
                        if let turn = answer(begin(head)) { return turn }
                        continue
                    }
                } catch {
                    return .refused(.malformed(error))
                }
                if wait != .head {
                    arm(.head, isOverflow ? context.configuration.overflowTimeout : context.configuration.headTimeout)
                }
            } else if wait == .nothing {
                arm(.idle, context.configuration.keepAliveTimeout)
            }
            switch fill() {
            case .some: continue
            case .ended: return leaving(.over)
            case .blocked: break
            }
            if hasTimedOut { return wait == .head ? .refused(.timedOut) : leaving(.over) }
            if context.isDraining, inbox.isEmpty { return leaving(.over) }
            burst = 0
            // Who has just come stays for one request at least.
            if requestCount > earlierRequests, inbox.isEmpty, let other = context.balance?.wayOut() {
                return leaving(.moves(to: other))
            }
            return .rests
        }
    }

    /// The end of the service here, unless the client is still owed bytes: then it is looked at again when they are out.
    private func leaving(_ end: Turn) -> Turn {
        context.io.settle(self)
        return outbox.isEmpty ? end : .rests
    }

    private func parseHead() throws(HTTPParseError) -> RequestHead? {
        try inbox.withUnsafeBufferPointer { (bytes) throws(HTTPParseError) in try parser.parse(bytes.span) }
    }

    func begin(_ head: RequestHead) -> Request {
        // The timer stays where it is: if it fires, it finds that it measures nothing, and arming it again costs the same.
        wait = .nothing
        hasTimedOut = false
        parser.reset()
        requestCount += 1
        burst += 1
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
}
