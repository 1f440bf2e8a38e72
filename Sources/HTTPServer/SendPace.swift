import EventLoop

/// Judges whether a client takes what it is owed, by what its side has acknowledged.
///
/// What `send` takes is too coarse a measure: the kernel tells of room only when half of the bytes it may keep unsent have
/// gone (16 of 32 KiB), so that a client at 512 bytes a second would look dead for 32 s. Acknowledged bytes are as fine as TCP
/// tells. Finer than that nothing can be seen: a receiver's window opens by a part of its buffer at a time, so that a
/// client that reads one byte a second acknowledges nothing for hours, and is cut like one that reads nothing.
///
/// While a stream's source runs, its own time limit bounds how long a slow client can take, and the high-water mark what is
/// kept for it: nothing but standing still is held against it. Once the answer is complete only the client decides how long
/// the rest is kept: from then on it has to take ``ServerConfiguration/sendMinimumRate`` on average.
struct SendPace {
    private var acknowledged: UInt64
    private var lastProgress: Int64
    /// Where the rate of the complete answer is counted from.
    private var start: (answer: Int, time: Int64, acknowledged: UInt64)?

    /// - Parameter acknowledged: bytes over the whole connection, up to now.
    init(acknowledged: UInt64, now: Int64) {
        self.acknowledged = acknowledged
        lastProgress = now
    }

    /// - Parameter completeAnswer: the number of the answer of which nothing is to come but what is owed already; nil while one
    ///   is being made. A client that asks again and again is not judged by the pauses between its answers.
    mutating func isTooSlow(
        acknowledged: UInt64, completeAnswer: Int?, now: Int64, _ configuration: ServerConfiguration
    ) -> Bool {
        let timeout = configuration.writeStallTimeout.wholeMilliseconds
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged
            lastProgress = now
        }
        if now - lastProgress >= timeout { return true }
        guard let completeAnswer else { return false }
        guard let start, start.answer == completeAnswer else {
            start = (completeAnswer, now, acknowledged)
            return false
        }
        let elapsed = now - start.time
        let taken = Int64(clamping: acknowledged - start.acknowledged)
        return elapsed >= timeout && taken * 1000 < Int64(configuration.sendMinimumRate) * elapsed
    }
}

extension Connection {
    /// Cuts a client that takes nothing of what it is owed, or too little. With RST: what the kernel holds for it is freed at
    /// once, and an answer that ends with its connection cannot be taken for a whole one.
    func judgeReader() {
        if isGone || requestCount == 0 { return }
        guard !outbox.isEmpty || Socket.heldBytes(descriptor) > 0 else {
            sendPace = nil
            return
        }
        let acknowledged = Socket.acknowledgedBytes(descriptor)
        var pace = sendPace ?? SendPace(acknowledged: acknowledged, now: context.io.now)
        let answer = stream == nil ? requestCount : nil
        if pace.isTooSlow(acknowledged: acknowledged, completeAnswer: answer, now: context.io.now, context.configuration) {
            Socket.resetOnClose(descriptor)
            leave()
        } else {
            sendPace = pace
        }
    }
}
