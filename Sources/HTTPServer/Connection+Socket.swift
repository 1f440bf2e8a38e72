import EventLoop

/// What comes in from the socket, and how the connection's task waits for it.
extension Connection {
    enum Fill { case some, blocked, ended }

    func fill() -> Fill {
        if isGone { return .ended }
        guard canRead else { return peerHasFinished ? .ended : .blocked }
        let buffer = context.io.readBuffer
        switch Socket.receive(descriptor, into: buffer) {
        case .moved(let count):
            // A short read has drained the socket: the next bytes make a new edge.
            if count < buffer.count { canRead = false }
            inbox.append(contentsOf: buffer[..<count])
            return .some
        case .blocked:
            canRead = false
            return .blocked
        case .ended:
            peerHasFinished = true
            canRead = false
            return .ended
        case .failed:
            leave()
            return .ended
        }
    }

    /// The peer is gone or was cut: whatever streams to it is told at once.
    func leave() {
        if isGone { return }
        isGone = true
        outbox = []
        outboxStart = 0
        let source = stream?.source
        stream?.source = nil
        source?.sinkClosed()
        wake()
    }

    func suspend() async {
        await withUnsafeContinuation { waiter = $0 }
    }

    func wake() {
        guard let waiting = waiter else { return }
        waiter = nil
        if isAwaitingRequest {
            turn = takeRequests()
            if case .rests = turn {
                waiter = waiting
                return
            }
        }
        waiting.resume()
    }

    func arm(_ what: Wait, _ after: Duration) {
        guard let timer else { return }
        wait = what
        hasTimedOut = false
        context.io.schedule(timer, after: after)
    }

    func disarm() {
        wait = .nothing
        hasTimedOut = false
        if let timer { context.io.rest(timer) }
    }

    func timeIsUp() {
        if wait == .nothing { return }
        hasTimedOut = true
        wake()
    }

    /// Lets the client read the last answer before it sees a reset: half-close, then take in what still comes, bounded.
    func linger() async {
        guard !isGone, canRead || !peerHasFinished else { return }
        Socket.shutdownSending(descriptor)
        arm(.linger, context.configuration.lingerTimeout)
        var taken = inbox.count
        while taken <= context.configuration.lingerBytes, !hasTimedOut {
            inbox.removeAll(keepingCapacity: true)
            switch fill() {
            case .some: taken += inbox.count
            case .ended: return
            case .blocked: await suspend()
            }
        }
    }
}
