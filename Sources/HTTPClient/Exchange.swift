import EventLoop

/// One request and its answer. It lives from ``HTTPClient/send(_:timeouts:to:)`` until `completed`, `failed` or ``cancel()``.
///
/// The connection is registered edge-triggered: a wake-up reads until the socket is empty, and to pause is not to read.
package final class Exchange {
    private enum Awaiting { case connection, firstByte, nextByte }

    /// What a wake-up touches.
    private struct State: ~Copyable {
        var decoder = ResponseDecoder()
        var receiver: (any ResponseReceiver)?
        /// Until the answer begins.
        var timer: LoopTimer?
        var awaiting = Awaiting.connection
        var isSending = false
        var isHeadDelivered = false
        var isDeliveryOpen = false
        var isPaused = false
        var isEnded = false
    }

    /// Reads per wake-up, 64 KiB each: then other connections of the loop get their turn.
    private static let readLimit = 16

    private let client: HTTPClient
    private let io: LoopIO
    private let timeouts: ExchangeTimeouts
    /// Behind a pointer: no exclusivity check on any access, neither for its cost (600 instructions an event) nor for a
    /// callback that comes back to this exchange.
    private let state: UnsafeMutablePointer<State>
    private var attempt: ConnectAttempt?
    private var link: Link?
    /// Kept until it need not be sent again.
    private var request: [UInt8]
    private var sent = 0
    private var isRequestCut = false
    private var isReadDue = false

    init(client: HTTPClient, request: [UInt8], timeouts: ExchangeTimeouts, receiver: any ResponseReceiver) {
        self.client = client
        io = client.io
        self.request = request
        self.timeouts = timeouts
        state = .allocate(capacity: 1)
        state.initialize(to: State(receiver: receiver))
        state.pointee.timer = LoopTimer { [unowned self] in timedOut() }
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Reads nothing more until ``resume()``; TCP then holds the sender back. The time-out for the first byte rests meanwhile.
    package func pause() { state.pointee.isPaused = true }

    /// Reads on, after the events in hand.
    package func resume() {
        guard state.pointee.isPaused, !state.pointee.isEnded else { return }
        state.pointee.isPaused = false
        guard link != nil else { return }
        if state.pointee.awaiting == .firstByte { schedule(after: timeouts.firstByte) }
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
        state.pointee.awaiting = .connection
        schedule(after: timeouts.connect)
        attempt = client.connector.connect(deadline: io.now + timeouts.connect.wholeMilliseconds) { [self] result in
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
        state.pointee.awaiting = .firstByte
        sent = 0
        state.pointee.isSending = true
        schedule(after: timeouts.firstByte)
        sendRequest(link)
    }

    private func sendRequest(_ link: Link) {
        while sent < request.count {
            let result = request.withUnsafeBufferPointer { link.write(UnsafeBufferPointer(rebasing: $0[sent...])) }
            switch result {
            case .moved(let count):
                sent += count
                if let timer = state.pointee.timer { io.refresh(timer, milliseconds: timeouts.firstByte.wholeMilliseconds) }
            case .blocked:
                return
            case .ended, .failed:
                state.pointee.isSending = false
                isRequestCut = true
                // A server that refuses a request may close before it has read all of it: its answer still counts.
                if link.wasUsed, state.pointee.awaiting == .firstByte { lost(link, .reset) } else { read(link) }
                return
            }
        }
        state.pointee.isSending = false
        if !link.wasUsed { request = [] }
    }

    // MARK: Receiving

    func linkReady(_ link: Link, _ readiness: Readiness) {
        if state.pointee.isSending { sendRequest(link) }
        if state.pointee.isPaused || state.pointee.isEnded || self.link !== link { return }
        // TLS may want to write in order to read, so any readiness can be the one it waits for.
        if link.isTLS || !readiness.isDisjoint(with: [.readable, .gone]) { read(link) }
    }

    private func read(_ link: Link) {
        let buffer = io.readBuffer
        var reads = 0
        while true {
            switch link.read(into: buffer) {
            case .moved(let count):
                bytesCame()
                let bytes = UnsafeBufferPointer(start: buffer.baseAddress, count: count)
                let outcome = state.pointee.decoder.decode(bytes, head: { deliver($0) }, body: { deliver($0) })
                switch outcome {
                case .needMore: break
                case .complete(let excess):
                    if !state.pointee.isEnded { complete(link, isClean: !excess && isClean(link, after: count)) }
                    return
                case .stopped: return
                case .failed(let reason):
                    fail(reason)
                    return
                }
                if state.pointee.isEnded { return }
                reads += 1
                if state.pointee.isPaused || link.isDrained(after: count, of: buffer.count) { return readEnded() }
                if reads == Self.readLimit {
                    readSoon()
                    return readEnded()
                }
            case .blocked:
                return readEnded()
            case .ended:
                if state.pointee.decoder.endsWithConnection { complete(link, isClean: false) } else { lost(link, .truncated) }
                return
            case .failed:
                lost(link, .reset)
                return
            }
        }
    }

    @inline(__always)
    private func bytesCame() {
        if state.pointee.awaiting == .nextByte { return }
        state.pointee.awaiting = .nextByte
        if let timer = state.pointee.timer { io.cancel(timer) }
        // A stream lasts, and has no more use for it.
        state.pointee.timer = nil
        // No second attempt from here on.
        if !state.pointee.isSending { request = [] }
    }

    private func deliver(_ head: ClientResponse) -> Bool {
        state.pointee.isHeadDelivered = true
        state.pointee.isDeliveryOpen = true
        state.pointee.receiver?.headReceived(head)
        return !state.pointee.isEnded
    }

    @inline(__always)
    private func deliver(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        state.pointee.isDeliveryOpen = true
        state.pointee.receiver?.bodyReceived(bytes)
        return !state.pointee.isEnded
    }

    private func readEnded() {
        if !state.pointee.isDeliveryOpen { return }
        state.pointee.isDeliveryOpen = false
        state.pointee.receiver?.readEnded()
    }

    /// After the events in hand: inside a callback the loop's read buffer may be in use.
    private func readSoon() {
        if isReadDue { return }
        isReadDue = true
        io.atEndOfTurn { [self] in
            isReadDue = false
            if let link, !state.pointee.isPaused { read(link) }
        }
    }

    // MARK: The end

    /// Whether nothing is left on the link that the next exchange could take for its own answer.
    private func isClean(_ link: Link, after count: Int) -> Bool {
        link.isDrained(after: count, of: io.readBuffer.count) || link.isQuiet()
    }

    private func complete(_ link: Link, isClean: Bool) {
        let receiver = state.pointee.receiver
        if isClean, state.pointee.decoder.keepAlive, !state.pointee.isSending, !isRequestCut {
            self.link = nil
            client.pool.keep(link)
        }
        end()
        receiver?.completed()
    }

    /// The connection is gone. A server may close an idle connection at the very moment it is used again: then nothing of
    /// an answer has come, and the request is sent once more, on a connection that was never idle.
    private func lost(_ link: Link, _ reason: ClientError.Reason) {
        guard link.wasUsed, state.pointee.awaiting == .firstByte else { return fail(reason) }
        link.close()
        self.link = nil
        state.pointee.isSending = false
        isRequestCut = false
        connect()
    }

    private func schedule(after timeout: Duration) {
        if let timer = state.pointee.timer { io.schedule(timer, after: timeout) }
    }

    private func timedOut() {
        switch state.pointee.awaiting {
        case .connection: fail(.connectTimedOut)
        // Paused: rearmed by `resume`.
        case .firstByte: if !state.pointee.isPaused { fail(.firstByteTimedOut) }
        case .nextByte: break
        }
    }

    private func fail(_ reason: ClientError.Reason) {
        if state.pointee.isEnded { return }
        let receiver = state.pointee.receiver
        end()
        receiver?.failed(ClientError(reason, isAfterHead: state.pointee.isHeadDelivered))
    }

    /// The one way out: afterwards nothing is armed, open or held.
    private func end() {
        if state.pointee.isEnded { return }
        state.pointee.isEnded = true
        if let timer = state.pointee.timer { io.cancel(timer) }
        state.pointee.receiver = nil
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
