import EventLoop

/// Idle links of one origin on one loop: last in, first out, so that in quiet times the oldest ones run out.
final class LinkPool {
    private let io: LoopIO
    private let capacity: Int
    private let idleTimeout: Duration
    /// Oldest first. Unchecked for overlapping accesses: the pool is left alone by whatever is called while it is being changed.
    @exclusivity(unchecked) private var idle: [Link] = []
    private var isClosed = false
    private var timer: LoopTimer?

    init(io: LoopIO, capacity: Int, idleTimeout: Duration) {
        self.io = io
        self.capacity = capacity
        self.idleTimeout = idleTimeout
        timer = LoopTimer { [unowned self] in closeExpired() }
    }

    deinit { if let timer { io.cancel(timer) } }

    var count: Int { idle.count }

    func take() -> Link? { idle.popLast() }

    /// Keeps a link whose last answer was complete and framed, and on which nothing waits to be read.
    func keep(_ link: Link) {
        guard !isClosed, capacity > 0, !link.isPeerGone else {
            link.close()
            return
        }
        if idle.count >= capacity { idle.removeFirst().close() }
        link.markUsed()
        link.owner = .pool(self)
        link.idleSince = io.now
        idle.append(link)
        if let timer, !timer.isArmed { io.schedule(timer, after: idleTimeout) }
    }

    /// An idle link has an event: closed by the server, or bytes that nobody asked for. Both end it.
    func checkIdle(_ link: Link) {
        if link.isQuiet() { return }
        if let index = idle.lastIndex(where: { $0 === link }) { idle.remove(at: index) }
        link.close()
    }

    /// Closes what is idle, and from now on whatever comes back.
    func close() {
        isClosed = true
        for link in idle { link.close() }
        idle.removeAll()
        if let timer { io.cancel(timer) }
    }

    private func closeExpired() {
        let timeout = idleTimeout.wholeMilliseconds
        let expired = idle.prefix { io.now - $0.idleSince >= timeout }.count
        for link in idle[..<expired] { link.close() }
        idle.removeFirst(expired)
        guard let timer, let oldest = idle.first else { return }
        io.schedule(timer, after: .milliseconds(oldest.idleSince + timeout - io.now))
    }
}
