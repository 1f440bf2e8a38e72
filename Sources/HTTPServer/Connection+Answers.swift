import EventLoop
import HTTPCore
import HTTPTypes

/// How answers leave: at once as far as the socket takes them, the rest when it does.
extension Connection {
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
            switch Socket.send(descriptor, bytes) {
            case .moved(let count) where count == bytes.count: return
            case .moved(let count): rest = UnsafeBufferPointer(rebasing: bytes[count...])
            case .blocked: break
            case .ended, .failed:
                leave()
                return
            }
        }
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
