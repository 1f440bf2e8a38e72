import EventLoop
import HTTPCore
import HTTPTypes

/// What an exchange sends, and when: the head, the tokens, the end, and what a directive wants instead.
extension Exchange {
    func takeHead() {
        if directives.dropsHead { return drop(byReset: true) }
        if directives.finsHead { return drop(byReset: false) }
        if directives.stallsHead {
            step = .stalled
            return
        }
        if let refusal { return refuse(refusal) }
        // There is a call and a body where there is no refusal.
        guard let call, let body else { return }
        if directives.isGarbage {
            send(Array("\u{7}\u{0}\u{1} 200 this is no HTTP\r\n\r\n".utf8), status: 200)
            return end(.completed, keepsAlive: false)
        }
        if directives.isEmpty {
            send(head(length: directives.framing == .length ? 0 : nil), status: 200)
            appendEnd()
            flush()
            return end(.completed, keepsAlive: keepsAlive)
        }
        if !call.isStreamed { return takeWhole(body) }
        send(head(length: directives.framing == .length ? body.streamLength : nil), status: 200)
        due += Int64(directives.firstDelay) * 1_000_000
        step = body.eventCount == 0 ? .end : .event(0)
    }

    /// The one object: all of it is made before the first byte leaves.
    private func takeWhole(_ body: CompletionBody) {
        // A story that is not watched takes a twentieth of the time.
        let pause = directives.interval ?? (directives.isPresent ? 0 : service.settings.storyInterval / 20)
        let generation = Int64(directives.firstDelay + pause * max(0, body.eventCount - 1)) * 1_000_000
        if generation > 0 {
            due += generation
            directives.firstDelay = 0
            directives.interval = 0
            return
        }
        let stop = [directives.dropAfter, directives.finAfter, directives.stallAfter].compactMap { $0 }.min()
        if let stop, goWrong(after: stop) { return }
        service.eventScratch = body.whole()
        let isChunked = directives.framing == .chunked
        send(
            head(length: directives.framing == nil || directives.framing == .length ? service.eventScratch.count : nil),
            status: 200)
        if isChunked { appendEnd() } else { swap(&service.scratch, &service.eventScratch) }
        flush(tokens: body.eventCount)
        end(.completed, keepsAlive: keepsAlive)
    }

    func takeEvents(_ first: Int) {
        guard let body else { return }
        if goWrong(after: first) { return }
        // A batch ends early where something is to happen.
        var last = min(first + directives.batch, body.eventCount)
        for stop in [directives.dropAfter, directives.finAfter, directives.stallAfter, directives.errorAfter] {
            if let stop, stop > first { last = min(last, stop) }
        }
        if directives.isSplit { last = first + 1 }
        for index in first..<last {
            body.appendEvent(index, to: &service.eventScratch)
            if directives.isSplit { return sendHalf(of: first) }
            appendChunk()
        }
        finishEvents(first..<last)
    }

    /// Sends the front half of the event in scratch, and its rest so much later that it is read on its own.
    private func sendHalf(of event: Int) {
        let middle = service.eventScratch.count / 2
        let rest = Array(service.eventScratch[middle...])
        service.eventScratch.removeLast(rest.count)
        appendChunk()
        flush()
        if case .over = step { return }
        step = .half(event, rest)
        due = SystemClock.monotonicNanoseconds() + 200_000
    }

    /// Sends the tokens that lie ready, and the end with the last one where nothing is to happen in between, as a real
    /// upstream does.
    func finishEvents(_ events: Range<Int>) {
        guard let body else { return }
        let isLast = events.upperBound == body.eventCount
        let ends = isLast && !goesWrong(after: events.upperBound)
        if ends {
            body.appendEnd(to: &service.eventScratch)
            appendEnd()
        }
        flush(tokens: events.count)
        if case .over = step { return }
        if ends { return end(.completed, keepsAlive: keepsAlive) }
        step = isLast ? .end : .event(events.upperBound)
        pace()
    }

    private func goesWrong(after tokens: Int) -> Bool {
        directives.dropAfter == tokens || directives.finAfter == tokens || directives.stallAfter == tokens
            || directives.errorAfter == tokens
    }

    /// Does what a directive wants after so many tokens.
    /// - Returns: whether there was one.
    private func goWrong(after tokens: Int) -> Bool {
        if directives.dropAfter == tokens {
            drop(byReset: true)
        } else if directives.finAfter == tokens {
            drop(byReset: false)
        } else if directives.stallAfter == tokens {
            step = .stalled
        } else if directives.errorAfter == tokens {
            endWithError()
        } else {
            return false
        }
        return true
    }

    /// After the last token, or without any.
    func takeEnd() {
        guard let body else { return }
        if goWrong(after: body.eventCount) { return }
        body.appendEnd(to: &service.eventScratch)
        appendEnd()
        flush()
        end(.completed, keepsAlive: keepsAlive)
    }

    private func endWithError() {
        let error = APIError(
            status: 500, message: "simulated error in the stream", type: directives.type ?? "server_error", code: directives.code)
        body?.appendError(error.event(directives.errorShape), to: &service.eventScratch)
        appendEnd()
        flush()
        end(.completed, keepsAlive: keepsAlive)
    }

    /// The next step's time. A sender that was held up does not make good for more than a few tokens.
    private func pace() {
        if interval == 0 { return }
        let pause = Int64(interval) * 1_000_000
        due = max(due + pause, SystemClock.monotonicNanoseconds() - 8 * pause)
    }

    private var interval: Int { directives.interval ?? (directives.isPresent ? 0 : service.settings.storyInterval) }

    // MARK: Bytes

    private var isChunked: Bool { directives.framing == nil || directives.framing == .chunked }

    private var keepsAlive: Bool { directives.framing != .close && request.head.keepAlive }

    private func head(length: Int?) -> [UInt8] {
        var bytes: [UInt8] = []
        var extra: [(String, String)] = []
        if directives.fillerSize > 0 { extra.append(("x-filler", String(repeating: "f", count: directives.fillerSize))) }
        let head = AnswerHead(
            requestID: requestID, model: call?.resolvedModel,
            processingMilliseconds: Int((SystemClock.monotonicNanoseconds() - started) / 1_000_000),
            chargedTokens: call.map { $0.chargedTokens + $0.choices })
        head.append(
            to: &bytes, status: 200, contentType: call?.isStreamed == true ? "text/event-stream" : "application/json",
            length: length, isChunked: length == nil && isChunked, closes: !keepsAlive, extra: extra)
        return bytes
    }

    /// Moves the event in scratch to what is sent next, as a chunk of its own.
    func appendChunk() {
        if service.eventScratch.isEmpty { return }
        if isChunked { service.scratch.append(chunkSize: service.eventScratch.count) }
        service.scratch.append(contentsOf: service.eventScratch)
        if isChunked { service.scratch.append(contentsOf: [13, 10]) }
        service.eventScratch.removeAll(keepingCapacity: true)
    }

    private func appendEnd() {
        appendChunk()
        if isChunked { service.scratch.append(contentsOf: "0\r\n\r\n".utf8) }
    }

    private func flush(tokens: Int = 0) {
        send(service.scratch, tokens: tokens)
        service.scratch.removeAll(keepingCapacity: service.scratch.capacity < 1 << 20)
    }

    func send(_ bytes: [UInt8], status: Int = 0, tokens: Int = 0) {
        connection.send(bytes)
        if case .over = step { return }
        let now = SystemClock.unixNanoseconds()
        entry.update { record in
            if status > 0 {
                record.status = status
                record.headSent = now
            }
            if tokens > 0 {
                if record.tokens == 0 { record.firstToken = now }
                record.lastToken = now
                record.tokens += tokens
            }
            record.bytes = connection.bytesSent - bytesBefore
        }
        if tokens > 0 { service.journal.count { $0.tokens += tokens } }
    }
}
