package import EventLoop

/// One request and its answer. It lives from ``HTTPClient/send(_:timeouts:to:)`` until `completed`, `failed` or ``cancel()``.
///
/// The connection is registered edge-triggered: a wake-up reads until the socket is empty, and to pause is not to read.
package final class Exchange {
    private enum Awaiting { case connection, firstByte, nextByte }

    /// Reads per wake-up: then other connections of the loop get their turn.
    private static let readLimit = 16
    /// Bytes of a read. What a receiver makes of one may have to be kept for a client that does not read.
    static let readSize = 32 * 1024
    /// So many milliseconds after a request was put on a connection its loss still means that the server was closing it already.
    /// Later the server may have done what it was asked for, and to ask again might have that paid twice.
    private static let resendLimit: Int64 = 1000

    private let io: LoopIO
    // What every event touches stands together, in as few lines of the processor's cache as it can. Unchecked for overlapping accesses,
    // which costs 60 instructions each time: a callback that comes back to this exchange touches each of these for a moment, and
    // never the decoder that is calling it.
    @exclusivity(unchecked) private var link: Link?
    @exclusivity(unchecked) private var receiver: (any ResponseReceiver)?
    @exclusivity(unchecked) private var awaiting = Awaiting.connection
    @exclusivity(unchecked) private var isSending = false
    @exclusivity(unchecked) private var isHeadDelivered = false
    @exclusivity(unchecked) private var isDeliveryOpen = false
    @exclusivity(unchecked) private var isPaused = false
    @exclusivity(unchecked) private var isEnded = false
    @exclusivity(unchecked) private var isReadDue = false
    @exclusivity(unchecked) private var isRequestCut = false
    @exclusivity(unchecked) private var decoder = ResponseDecoder()
    private let client: HTTPClient
    private let timeouts: ExchangeTimeouts
    @exclusivity(unchecked) private var attempt: ConnectAttempt?
    /// Kept until it need not be sent again.
    @exclusivity(unchecked) private var request: [UInt8]
    @exclusivity(unchecked) private var sent = 0
    /// When the request was put on the link, in the loop's milliseconds.
    @exclusivity(unchecked) private var begunAt: Int64 = 0
    /// Until the answer begins.
    @exclusivity(unchecked) private var timer: LoopTimer?

    init(client: HTTPClient, request: [UInt8], timeouts: ExchangeTimeouts, receiver: any ResponseReceiver) {
        self.client = client
        io = client.io
        self.request = request
        self.timeouts = timeouts
        self.receiver = receiver
        timer = LoopTimer { [unowned self] in timedOut() }
    }

    /// Whether there is a connection, on which the request goes out.
    package var isConnected: Bool { awaiting != .connection }

    /// Says what each further piece of the answer will touch beside this exchange.
    package func willTouch(_ trail: Trail) {
        var whole = trail
        whole.add(self, lines: 3)
        link?.trail = whole
    }

    /// Reads nothing more until ``resume()``; TCP then holds the sender back. The time-out for the first byte rests meanwhile.
    package func pause() { isPaused = true }

    /// Reads on, after the events in hand.
    package func resume() {
        guard isPaused, !isEnded else { return }
        isPaused = false
        guard link != nil else { return }
        if awaiting == .firstByte { schedule(milliseconds: timeouts.firstByteMilliseconds) }
        readSoon()
    }

    /// Closes the connection now. Nothing is called any more, also when this is called from inside a callback.
    package func cancel() { end() }

    // MARK: Connecting and sending

    func start() {
        if client.isClosed {
            io.atEndOfTurn { [self] in fail(.connect("the client is closed")) }
        } else if let link = client.pool.take() {
            begin(link)
        } else {
            connect()
        }
    }

    private func connect() {
        awaiting = .connection
        schedule(milliseconds: timeouts.connectMilliseconds)
        attempt = client.connector.connect(deadline: io.now + timeouts.connectMilliseconds) { [self] result in
            attempt = nil
            switch result {
            case .success(let link): begin(link)
            case .failure(let reason): fail(reason)
            }
        }
    }

    private func begin(_ link: Link) {
        self.link = link
        link.owner = .exchange(self)
        awaiting = .firstByte
        sent = 0
        begunAt = io.now
        isSending = true
        schedule(milliseconds: timeouts.firstByteMilliseconds)
        sendRequest(link)
    }

    private func sendRequest(_ link: Link) {
        while sent < request.count {
            let result = request.withUnsafeBufferPointer { link.write(UnsafeBufferPointer(rebasing: $0[sent...])) }
            switch result {
            case .moved(let count):
                sent += count
                if let timer { io.refresh(timer, milliseconds: timeouts.firstByteMilliseconds) }
            case .blocked:
                return
            case .ended, .failed:
                isSending = false
                isRequestCut = true
                // A server that refuses a request may close before it has read all of it: its answer still counts.
                if link.wasUsed, awaiting == .firstByte { lost(link, .reset) } else { read(link) }
                return
            }
        }
        isSending = false
        if !link.wasUsed { request = [] }
    }

    // MARK: Receiving

    func linkReady(_ link: Link, _ readiness: Readiness) {
        if isSending { sendRequest(link) }
        if isPaused || isEnded || self.link !== link { return }
        // TLS may want to write in order to read, so any readiness can be the one it waits for.
        if link.isTLS || !readiness.isDisjoint(with: [.readable, .gone]) { read(link) }
    }

    private func read(_ link: Link) {
        guard let receiver else { return }
        let buffer = UnsafeMutableBufferPointer(rebasing: io.readBuffer[..<min(Self.readSize, io.readBuffer.count)])
        var reads = 0
        while true {
            switch link.read(into: buffer) {
            case .moved(let count):
                bytesCame()
                let bytes = UnsafeBufferPointer(start: buffer.baseAddress, count: count)
                let outcome = decoder.decode(
                    bytes, head: { deliver($0, to: receiver) }, body: { deliver($0, to: receiver) })
                switch outcome {
                case .needMore: break
                case .complete(let excess):
                    if !isEnded { complete(link, isClean: !excess && isClean(link, after: count, of: buffer.count)) }
                    return
                case .stopped: return
                case .failed(let reason):
                    fail(reason)
                    return
                }
                if isEnded { return }
                reads += 1
                if isPaused || link.isDrained(after: count, of: buffer.count) { return readEnded(receiver) }
                if reads == Self.readLimit {
                    readSoon()
                    return readEnded(receiver)
                }
            case .blocked:
                return readEnded(receiver)
            case .ended:
                if decoder.endsWithConnection { complete(link, isClean: false) } else { lost(link, .truncated) }
                return
            case .failed:
                lost(link, .reset)
                return
            }
        }
    }

    @inline(__always)
    private func bytesCame() {
        if awaiting == .nextByte { return }
        awaiting = .nextByte
        if let timer { io.cancel(timer) }
        // A stream lasts, and has no more use for it.
        timer = nil
        // No second attempt from here on.
        if !isSending { request = [] }
    }

    private func deliver(_ head: ClientResponse, to receiver: any ResponseReceiver) -> Bool {
        isHeadDelivered = true
        isDeliveryOpen = true
        receiver.headReceived(head)
        return !isEnded
    }

    @inline(__always)
    private func deliver(_ bytes: UnsafeBufferPointer<UInt8>, to receiver: any ResponseReceiver) -> Bool {
        isDeliveryOpen = true
        receiver.bodyReceived(bytes)
        return !isEnded
    }

    @inline(__always)
    private func readEnded(_ receiver: any ResponseReceiver) {
        if !isDeliveryOpen { return }
        isDeliveryOpen = false
        receiver.readEnded()
    }

    /// After the events in hand: inside a callback the loop's read buffer may be in use.
    private func readSoon() {
        if isReadDue { return }
        isReadDue = true
        io.atEndOfTurn { [self] in
            isReadDue = false
            if let link, !isPaused { read(link) }
        }
    }

    // MARK: The end

    /// Whether nothing is left on the link that the next exchange could take for its own answer.
    private func isClean(_ link: Link, after count: Int, of size: Int) -> Bool {
        link.isDrained(after: count, of: size) || link.isQuiet()
    }

    private func complete(_ link: Link, isClean: Bool) {
        let receiver = receiver
        if isClean, decoder.keepAlive, !isSending, !isRequestCut {
            self.link = nil
            client.pool.keep(link)
        }
        end()
        receiver?.completed()
    }

    /// The connection is gone. A server may close an idle connection at the very moment it is used again: then nothing of
    /// an answer has come, and the request is sent once more, on a connection that was never idle.
    private func lost(_ link: Link, _ reason: ClientError.Reason) {
        guard link.wasUsed, awaiting == .firstByte, io.now - begunAt <= Self.resendLimit else { return fail(reason) }
        link.close()
        self.link = nil
        isSending = false
        isRequestCut = false
        connect()
    }

    private func schedule(milliseconds: Int64) {
        if let timer { io.schedule(timer, milliseconds: milliseconds) }
    }

    private func timedOut() {
        switch awaiting {
        case .connection: fail(attempt?.lateness(now: io.now) ?? .connectTimedOut)
        // Paused: rearmed by `resume`.
        case .firstByte: if !isPaused { fail(.firstByteTimedOut) }
        case .nextByte: break
        }
    }

    private func fail(_ reason: ClientError.Reason) {
        if isEnded { return }
        let receiver = receiver
        end()
        receiver?.failed(ClientError(reason, isAfterHead: isHeadDelivered))
    }

    /// The one way out: afterwards nothing is armed, open or held.
    private func end() {
        if isEnded { return }
        isEnded = true
        if let timer { io.cancel(timer) }
        receiver = nil
        request = []
        if let link {
            self.link = nil
            link.close()
        }
        if let attempt {
            self.attempt = nil
            attempt.cancel()
        }
    }
}
