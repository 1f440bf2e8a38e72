import EventLoop
import HTTPCore
import HTTPTypes

/// How answers come and leave: at once as far as the socket takes them, the rest when it does.
extension Connection {
    /// Begins work whose answer comes by a call. The task sleeps on, and wakes only where the answer takes waiting.
    /// - Returns: as ``answer(_:)``; the answer may have come before this returns.
    func start(_ work: (@escaping (Reply) -> Void) -> Void, for request: Request) -> Turn? {
        answering = .starting
        work { [self] reply in
            let isLate = answering == .later
            answering = .no
            turnAfterAnswer = turn(after: reply, to: request)
            if isLate { goOn() }
        }
        if answering == .no { return turnAfterAnswer.take() }
        answering = .later
        return .rests
    }

    /// What is left to be done where an answer has come; nil when it is out and the next request may follow.
    private func turn(after reply: Reply, to request: Request) -> Turn? {
        guard case .streamed = reply, stream?.isCommitted == true else { return .awaits(request, reply) }
        let mayGoOn = endedStream(of: request)
        return mayGoOn && outbox.isEmpty ? nil : .answered(mayGoOn: mayGoOn)
    }

    private func goOn() {
        if let next = turnAfterAnswer.take() {
            turn = next
            waiter.take()?.resume()
        } else if canRead || !inbox.isEmpty {
            // The call may come from somebody who still reads in the loop's one buffer.
            context.io.atEndOfTurn { [self] in wake() }
        } else {
            wake()
        }
    }

    func openStream(for request: Request, status: HTTPResponse.Status, fields: ResponseFields) -> ResponseStream {
        let isChunked = request.head.version == .http11
        let keepAlive = isChunked && mayContinue(after: request)
        let head = ResponseEncoder.head(
            status, request.responseFields, fields, framing: isChunked ? .chunked : .none, keepAlive: keepAlive,
            date: context.date)
        let opened = ResponseStream(
            head: head, of: request, isChunked: isChunked, keepsAlive: keepAlive, connection: self)
        stream = opened
        // Its FIN may have come while the request was prepared: no further edge would tell.
        if peerHasFinished { leave() }
        return opened
    }

    func endStream() {
        stream?.source = nil
        stream = nil
    }

    /// - Parameter fields: what the answer carries whatever it is; the response's own stand behind them.
    func send(_ response: Response, _ fields: ResponseFields, to method: HTTPRequest.Method?, keepAlive: Bool) {
        if isGone { return }
        let output = context.io.output
        // 204 and 304 end with their head (RFC 9110, 6.4.1).
        let hasBody = response.status != .noContent && response.status != .notModified
        ResponseEncoder.writeHead(
            response.status, fields, response.fields, framing: hasBody ? .length(response.body.count) : .none,
            keepAlive: keepAlive, date: context.date
        ) { output.pointee.append($0) }
        if hasBody, method != .head { output.pointee.append(response.body) }
        transmit(output.pointee.bytes)
        output.pointee.removeAll()
    }

    /// Sends at once what the socket takes and keeps the rest back.
    func transmit(_ bytes: UnsafeBufferPointer<UInt8>) {
        if isGone || bytes.isEmpty { return }
        var rest = bytes
        if outbox.isEmpty {
            switch context.io.send(bytes, on: self) {
            case .moved(let count) where count == bytes.count: return
            case .moved(let count): rest = UnsafeBufferPointer(rebasing: bytes[count...])
            case .blocked: break
            case .ended, .failed:
                leave()
                return
            }
        }
        // What was sent before may have come back, and found the client gone.
        if !isGone { keepBack(rest) }
    }

    /// Keeps bytes until the socket takes them.
    func keepBack(_ rest: UnsafeBufferPointer<UInt8>) {
        // A client that reads slowly but never catches up would otherwise be kept all it was ever sent.
        if outboxStart > 0 {
            outbox.removeFirst(outboxStart)
            outboxStart = 0
        }
        outbox.append(contentsOf: rest)
        if outbox.count - outboxStart > context.configuration.highWatermark { isThrottled = true }
    }

    var isFull: Bool { isThrottled }

    /// Bytes kept back, and those before them whose room is still taken.
    var heldBytes: Int { outbox.count }

    func flush() {
        while outboxStart < outbox.count {
            let sent = outbox.withUnsafeBufferPointer {
                Socket.send(descriptor, UnsafeBufferPointer(rebasing: $0[outboxStart...]))
            }
            switch sent {
            case .moved(let count):
                outboxStart += count
                continue
            case .blocked: break
            case .ended, .failed:
                leave()
                return
            }
            break
        }
        if outboxStart == outbox.count {
            outbox = []
            outboxStart = 0
        }
        if isThrottled, outbox.count - outboxStart <= context.configuration.lowWatermark {
            isThrottled = false
            stream?.source?.sinkDrained()
        }
    }

    func flushed() async {
        while !outbox.isEmpty, !isGone { await suspend() }
    }
}
