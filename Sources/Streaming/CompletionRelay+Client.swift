import EventLoop
import PlaygroundCore

// The client's side: what it is sent, and when.
extension CompletionRelay: ByteSource {
    package func sinkDrained() {
        guard isPaused, isRunning else { return }
        isPaused = false
        restartUpstreamTime()
        arm()
        exchange?.resume()
    }

    package func sinkClosed() { finish(.clientGone) }

    /// Sends what the output holds, and begins the answer with it if it has not begun.
    func write() {
        guard let sink else { return }
        state.clock.heartbeatAt = pool.io.now + pool.heartbeatMilliseconds
        if !isCommitted { commit() }
        sink.write(output, last: false)
        // The write may have found the client gone and ended all of this.
        if isRunning, !isPaused, sink.isFull { pause() }
    }

    /// The status stands from here on, and nobody is asked again.
    private func commit() {
        isCommitted = true
        pending = nil
        state.clock.headAt = RelayClock.never
        arm()
    }

    /// The upstream is not read, so that its silence tells nothing.
    private func pause() {
        isPaused = true
        state.clock.firstTokenAt = RelayClock.never
        state.clock.silenceAt = RelayClock.never
        exchange?.pause()
    }

    private func restartUpstreamTime() {
        let now = pool.io.now
        if state.stream.hasTokens {
            state.clock.silenceAt = now + upstream.silenceMilliseconds
        } else {
            state.clock.firstTokenAt = now + upstream.firstTokenMilliseconds
        }
    }

    /// Begins the answer, or keeps it alive, with a comment.
    func sendComment() {
        output.pointee.append(": keep-alive\n\n")
        write()
    }

    /// The answer has to begin now.
    func beginDue() {
        if let refusal {
            attemptFailed(refusal.fault)
        } else if exchange == nil, let pending {
            fail(pending.error(now: pool.io.now))
        } else {
            sendComment()
        }
    }

    func beat() {
        state.clock.heartbeatAt = pool.io.now + pool.heartbeatMilliseconds
        // A client that does not read is not to find a heap of comments.
        if sink?.isFull == false { sendComment() }
    }

    func end() {
        if state.stream.isRunaway { pool.onRunaway(id, upstream.description.name) }
        if !isCollecting {
            isCommitted = true
            sink?.write(output, last: true)
        }
        finish(.done)
    }

    func fail(_ error: ServiceError) {
        guard isRunning else { return }
        if !state.stream.hasUse { isUnused = true }
        if exchange != nil, refusal == nil { mayHaveCost = true }
        // With output in hand the completion has begun: that is delivered first.
        if !isCollecting, isCommitted || !output.pointee.isEmpty {
            isCommitted = true
            output.pointee.append("event: error\ndata: ")
            output.pointee.append(encodeProblem(error))
            output.pointee.append("\n\n")
            sink?.write(output, last: true)
        }
        finish(.failed(error))
    }
}
