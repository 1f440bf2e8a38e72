package import EventLoop

/// Makes a loop, runs `body` on it, and stops it. What belongs to the loop is made inside.
package func withLoop<Result: Sendable>(
    _ body: @escaping @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = EventLoop(name: "test loop")
    loop.start()
    defer { loop.stop() }
    return try await loop.run(body)
}

extension LoopIO {
    /// Waits until `condition` holds, looking every 10 ms; false when it does not within `deadline`.
    package func wait(until condition: () -> Bool, deadline: Duration = .seconds(10)) async -> Bool {
        let end = ContinuousClock.now + deadline
        while !condition() {
            if ContinuousClock.now > end { return false }
            await pause(.milliseconds(10))
        }
        return true
    }
}
