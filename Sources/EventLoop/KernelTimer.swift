import CSystem

/// A timer that keeps to some 50 µs, where a ``LoopTimer`` may be 16 ms late (timerfd_create(2)). Each has a descriptor of its own,
/// and a pause costs two system calls: for the few waits that are shorter than a tick.
package final class KernelTimer: Channel {
    private let io: LoopIO
    private var waiting: UnsafeContinuation<Void, Never>?

    /// Nil where the process has no descriptor left.
    package init?(io: LoopIO) {
        let descriptor = csystem_timer()
        guard descriptor >= 0 else { return nil }
        self.io = io
        super.init(descriptor: descriptor)
        io.register(self)
    }

    /// Suspends the caller, who runs on this loop and is the only one to wait for this timer.
    package func pause(microseconds: Int64) async {
        precondition(waiting == nil, "one waits at a time")
        await withUnsafeContinuation {
            waiting = $0
            csystem_start_timer(descriptor, Int(microseconds))
        }
    }

    /// Stops watching; who waits goes on at once.
    package func close() {
        io.deregister(self, close: true)
        resume()
    }

    // Edge-triggered, and starting it anew clears what it has counted: nothing has to be read.
    package override func ready(_ readiness: Readiness) { resume() }

    private func resume() {
        let continuation = waiting
        waiting = nil
        continuation?.resume()
    }
}
