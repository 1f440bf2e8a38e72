import Dispatch

/// One event loop: a Dispatch queue whose only work item does not return, one epoll, one timer wheel, one queue of Swift jobs.
///
/// It is an isolation domain: connections, parsers, transfers and database lanes are plain classes in its region, so
/// the compiler checks that nothing of them crosses to another thread, at no cost at run time. Loops share nothing.
package actor EventLoop {
    /// Runs the loop's jobs, and those of tasks that prefer it.
    package nonisolated let executor: LoopExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// Descriptors, timers and buffers; reachable only from the loop.
    package let io: LoopIO
    private let queue: DispatchQueue
    private let isStopping = LoopCell(false)

    /// Whether the kernel lets this process make many sends by one call.
    package static let canGatherSends: Bool = {
        guard let sends = SendBatch() else { return false }
        sends.end()
        return true
    }()

    /// - Parameters:
    ///   - name: of the Dispatch queue, as debuggers show it.
    ///   - gathersSends: whether what connections have to send is sent together (`SendBatch.swift`) where the kernel can do that.
    package init(name: String, gathersSends: Bool = true) {
        let executor = LoopExecutor()
        self.executor = executor
        io = LoopIO(wakeUp: executor.wakeUp, gathersSends: gathersSends)
        queue = DispatchQueue(label: name)
    }

    /// Begins to turn. Called once.
    package nonisolated func start() {
        queue.async { [self] in
            executor.bind()
            // The isolation is asserted once for the loop's life: per batch it would cost 400 instructions each time.
            assumeIsolated { loop in
                while !loop.isStopping.value { loop.turn() }
            }
        }
    }

    /// Nanoseconds of a processor that the loop's thread has had since it began to turn. From any thread.
    package nonisolated var processorTime: Int64 { executor.processorTime }

    /// Ends after the turn in hand. What still waits on the loop is never resumed: for the end of a process or a test.
    package nonisolated func stop() {
        spawn { loop in loop.isStopping.value = true }
    }

    /// Starts work on the loop and does not wait for it.
    package nonisolated func spawn(_ body: @escaping @Sendable (isolated EventLoop) async -> Void) {
        Task(executorPreference: executor) { await body(self) }
    }

    /// Does work on the loop and returns its result.
    package nonisolated func run<Result: Sendable>(
        _ body: @escaping @Sendable (isolated EventLoop) async throws -> Result
    ) async throws -> Result {
        try await Task(executorPreference: executor) { try await body(self) }.value
    }

    /// First what somebody waits for, and what follows from it; streams after that. When they come in crowds a request would wait for
    /// all of them each time that it comes by here, and it comes by several times before its first token.
    private func turn() {
        if io.poll(block: !executor.hasJobs && !io.hasDeferred) { executor.takeRemote() }
        executor.runJobs()
        io.finishBatch()
        io.runDeferred()
    }
}
