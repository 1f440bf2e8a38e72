import EventLoop
import HTTPCore

/// How the body of the request in hand is taken in.
extension Connection {
    /// The body, where all of it has come with the head, as is usual; nil where it has to be read.
    func arrivedBody(limit: Int) throws(BodyError) -> [UInt8]? {
        guard case .unread(let framing) = bodyState else { return [] }
        guard case .length(let length) = framing else { return nil }
        if length > limit { throw .tooLarge }
        if inbox.count < length { return nil }
        bodyState = .done
        expectsContinue = false
        return takeInput(length)
    }

    func readBody(limit: Int) async throws(BodyError) -> [UInt8] {
        guard case .unread(let framing) = bodyState else { return [] }
        if case .length(let length) = framing, length > limit { throw .tooLarge }
        if expectsContinue, inbox.isEmpty {
            sendContinue()
            // The one timer measures this wait or the body's: one after the other.
            await flushed()
        }
        expectsContinue = false
        var pace = BodyPace(configuration: context.configuration, now: context.io.now)
        return try await collectBody(framing, limit: limit, pace: &pace)
    }

    func collectBody(
        _ framing: BodyFraming, limit: Int, pace: inout BodyPace
    ) async throws(BodyError) -> [UInt8] {
        var body: [UInt8] = []
        var decoder = ChunkedDecoder()
        bodyState = .abandoned
        defer { disarm() }
        while true {
            if try moveInput(to: &body, framing, &decoder, limit) {
                bodyState = .done
                // A stream may follow: the room of its request is not kept all that time.
                if inbox.isEmpty { inbox = [] }
                return body
            }
            switch fill() {
            case .some: continue
            case .ended: throw .incomplete
            case .blocked: break
            }
            if hasTimedOut || pace.isTooSlow(received: body.count, now: context.io.now) { throw .timedOut }
            arm(.body, pace.nextLook(now: context.io.now))
            await suspend()
        }
    }

    /// - Returns: whether the body is complete.
    func moveInput(
        to body: inout [UInt8], _ framing: BodyFraming, _ decoder: inout ChunkedDecoder, _ limit: Int
    ) throws(BodyError) -> Bool {
        switch framing {
        case .none:
            return true
        case .length(let length):
            if body.isEmpty, inbox.count >= length {
                body = takeInput(length)
                return true
            }
            let missing = length - body.count
            if inbox.count <= missing {
                body.append(contentsOf: inbox)
                inbox.removeAll(keepingCapacity: true)
            } else {
                body.append(contentsOf: takeInput(missing))
            }
            return body.count == length
        case .chunked:
            if inbox.isEmpty { return false }
            let progress = inbox.withUnsafeBufferPointer { bytes in
                decoder.decode(bytes) { chunk in
                    if body.count + chunk.count > limit { return false }
                    body.append(contentsOf: chunk)
                    return true
                }
            }
            switch progress {
            case .needMore:
                inbox.removeAll(keepingCapacity: true)
                return false
            case .complete(let consumed):
                inbox.removeFirst(consumed)
                return true
            case .stopped:
                throw .tooLarge
            case .failed(let error):
                throw .malformed(error)
            }
        }
    }

    /// The request has a body that no route takes, and says so beforehand.
    var announcesTooMuch: Bool {
        if case .unread(.length(let length)) = bodyState { length > context.configuration.maxBody } else { false }
    }

    func sendContinue() {
        let interim = ResponseEncoder.continueResponse
        transmit(UnsafeBufferPointer(start: interim.utf8Start, count: interim.utf8CodeUnitCount))
    }

    /// Whether nothing of the body is left to be taken, which is so as well where a handler left all of it and all of it has come.
    func dropsArrivedBody() -> Bool {
        if case .unread(.length(let length)) = bodyState, !announcesTooMuch, inbox.count >= length {
            _ = takeInput(length)
            bodyState = .done
        }
        return isBodyTaken
    }

    /// Takes in what a handler left of the body, so that a broken one is refused rather than answered, and the
    /// connection can go on. A body that is large or slow is not waited for: the connection closes after the answer.
    /// - Returns: why the request has to be refused instead of answered.
    func takeUnreadBody() async -> RequestError? {
        guard case .unread(let framing) = bodyState, !isGone, !announcesTooMuch else { return nil }
        // The client waits for a go-ahead that it does not get.
        if expectsContinue, inbox.isEmpty { return nil }
        var pace = BodyPace(configuration: context.configuration, now: context.io.now, limit: context.configuration.lingerTimeout)
        do {
            _ = try await collectBody(framing, limit: context.configuration.maxBody, pace: &pace)
            return nil
        } catch {
            switch error {
            case .malformed(let error): return .malformed(error)
            case .incomplete: return .malformed(.truncated)
            case .tooLarge, .timedOut: return nil
            }
        }
    }
}
