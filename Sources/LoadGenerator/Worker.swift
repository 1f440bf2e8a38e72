import EventLoop
import HTTPCore

/// One connection at a time with one stream at a time on it, over and over.
final class Worker {
    private let index: Int
    private unowned let run: LoadRun
    private let plan: LoadPlan
    private let tally: Tally
    private let io: LoopIO
    private var link: Link?

    private var sequence = 0
    private var id = ""
    private var begun: Int64 = 0
    /// Bytes of the request that the socket has not taken.
    private var unsent: [UInt8] = []
    private var isBusy = false
    /// Whether the stream in hand has been counted as open.
    private var isHeld = false
    private var parser = ResponseHeadParser()
    private var headBytes: [UInt8] = []
    private var head: ResponseHead?
    private var decoder = ChunkedDecoder()
    private var remaining = 0
    private var checker: EventChecker

    init(index: Int, run: LoadRun) {
        self.index = index
        self.run = run
        plan = run.plan
        tally = run.tally
        io = run.io
        checker = EventChecker(dialect: plan.dialect, isEscaped: plan.isEscaped)
    }

    /// Monotonic nanoseconds since when the stream in hand lasts; nil between streams.
    var busySince: Int64? { isBusy ? begun : nil }

    /// Begins a stream, on the connection there is or a new one.
    func begin() {
        sequence += 1
        id = "\(plan.runID)-\(index)-\(sequence)"
        begun = SystemClock.monotonicNanoseconds()
        isBusy = true
        isHeld = false
        unsent = plan.request(worker: index, id: id)
        parser = ResponseHeadParser()
        headBytes.removeAll(keepingCapacity: true)
        head = nil
        decoder = ChunkedDecoder()
        checker = EventChecker(dialect: plan.dialect, isEscaped: plan.isEscaped)
        tally.open += 1
        tally.maxOpen = max(tally.maxOpen, tally.open)
        if let link { return send(on: link) }
        let target = plan.target(of: index)
        do throws(SocketError) {
            let link = Link(descriptor: try Socket.connect(ipv4: target.host, port: target.port), worker: self)
            self.link = link
            io.register(link)
        } catch {
            end("connect")
        }
    }

    func ready(_ readiness: Readiness, _ link: Link) {
        if readiness.contains(.writable), !unsent.isEmpty {
            if readiness.contains(.failed) { return end("connect") }
            send(on: link)
        }
        let isGone = !readiness.isDisjoint(with: .gone)
        if self.link === link, isGone || readiness.contains(.readable) { receive(on: link, toTheEnd: isGone) }
    }

    private func send(on link: Link) {
        let result = unsent.withUnsafeBufferPointer { Socket.send(link.descriptor, $0) }
        switch result {
        case .moved(let count):
            unsent.removeFirst(count)
            if unsent.isEmpty { tally.sent += 1 }
        case .blocked, .ended: break
        case .failed: end("write")
        }
    }

    /// - Parameter toTheEnd: the end has been told of already and no edge will tell of it again.
    private func receive(on link: Link, toTheEnd: Bool) {
        while self.link === link {
            switch Socket.receive(link.descriptor, into: io.readBuffer) {
            case .moved(let count):
                tally.bytes += count
                let now = SystemClock.unixNanoseconds()
                guard isBusy else { return close() }
                take(UnsafeBufferPointer(rebasing: io.readBuffer[..<count]), now: now)
                // A short read has drained the socket; the edge tells of more.
                if count < io.readBuffer.count, !toTheEnd { return }
            case .blocked: return
            case .ended: return peerClosed("cut")
            case .failed: return peerClosed("reset")
            }
        }
    }

    private func peerClosed(_ reason: String) {
        guard isBusy else { return close() }
        if let head, head.framing == .untilClose, reason == "cut" { return complete() }
        let when = head == nil ? "before the head" : checker.tokens == 0 ? "before the first token" : "mid-stream"
        end("\(reason) \(when)")
    }

    private func take(_ bytes: UnsafeBufferPointer<UInt8>, now: Int64) {
        if head == nil {
            headBytes.append(contentsOf: bytes)
            takeHead(now: now)
        } else {
            takeBody(bytes, now: now)
        }
    }

    private func takeHead(now: Int64) {
        let received = headBytes
        do throws(HTTPParseError) {
            guard let parsed = try parser.parse(received.span) else { return }
            head = parsed
            headBytes.removeAll(keepingCapacity: true)
            guard parsed.status == plan.status else { return end("status \(parsed.status)") }
            if case .length(let length) = parsed.framing { remaining = length }
            if parsed.framing == .none || parsed.framing == .length(0) { return complete() }
            if received.count > parsed.length {
                received.withUnsafeBufferPointer { takeBody(UnsafeBufferPointer(rebasing: $0[parsed.length...]), now: now) }
            }
        } catch {
            end("malformed head")
        }
    }

    private func takeBody(_ bytes: UnsafeBufferPointer<UInt8>, now: Int64) {
        switch head?.framing {
        case .chunked:
            var decoder = decoder
            let progress = decoder.decode(bytes) { piece in
                takeContent(piece, now: now)
                return isBusy
            }
            guard isBusy else { return }
            self.decoder = decoder
            switch progress {
            case .needMore, .stopped: noteCut()
            case .complete: complete()
            case .failed: end("malformed chunk")
            }
        case .length:
            let mine = UnsafeBufferPointer(rebasing: bytes[..<min(remaining, bytes.count)])
            remaining -= mine.count
            takeContent(mine, now: now)
            if isBusy { if remaining == 0 { complete() } else { noteCut() } }
        default:
            takeContent(bytes, now: now)
            if isBusy { noteCut() }
        }
    }

    private func noteCut() {
        if plan.dialect != .rest, !checker.isAtFrameEnd { tally.cutReads += 1 }
    }

    private func takeContent(_ bytes: UnsafeBufferPointer<UInt8>, now: Int64) {
        guard plan.dialect != .rest else { return }
        var dropped = false
        checker.take(bytes) { token in
            tally.events += 1
            if token.index == 0 { tally.firstToken.add(SystemClock.monotonicNanoseconds() - begun) }
            if token.sent > 0 { tally.latency.add(now - token.sent) }
            if token.index + 1 == plan.drop { dropped = true }
        }
        if let failure = checker.failure { return end(failure) }
        if dropped {
            close()
            tally.drops[id] = SystemClock.unixNanoseconds()
            return end(nil)
        }
        if plan.hold != nil, !isHeld, checker.tokens > 0 {
            isHeld = true
            run.opened()
        }
    }

    private func complete() {
        let keeps = head?.keepAlive ?? false
        if plan.dialect == .rest {
            tally.events += 1
            tally.firstToken.add(SystemClock.monotonicNanoseconds() - begun)
            if !keeps { close() }
            return end(nil, keepsLink: keeps)
        }
        let verdict = checker.end(expected: plan.expectedTokens)
        if verdict == nil { tally.whole.add(SystemClock.monotonicNanoseconds() - begun) }
        end(verdict, keepsLink: keeps)
    }

    /// Ends the stream that is held open, as well ended.
    func release() {
        if isBusy { end(nil) }
    }

    func timeOut() { end("time-out \(head == nil ? "before the head" : "after \(checker.tokens) tokens")") }

    private func end(_ failure: String?, keepsLink: Bool = false) {
        guard isBusy else { return }
        isBusy = false
        tally.open -= 1
        tally.lastEnd = SystemClock.monotonicNanoseconds()
        if let failure { tally.fail(failure) } else { tally.done += 1 }
        if failure != nil || !keepsLink { close() }
        run.ended(self, failed: failure != nil)
    }

    func close() {
        guard let link else { return }
        self.link = nil
        io.deregister(link, close: true)
    }
}

/// A worker's connection.
final class Link: Channel {
    private unowned let worker: Worker

    init(descriptor: Int32, worker: Worker) {
        self.worker = worker
        super.init(descriptor: descriptor)
    }

    override func ready(_ readiness: Readiness) { worker.ready(readiness, self) }
}
