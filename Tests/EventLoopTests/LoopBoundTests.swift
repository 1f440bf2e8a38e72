import Synchronization
import Testing

@testable import EventLoop

@Suite("A value bound to a loop")
struct LoopBoundTests {
    private final class Counts: Sendable {
        let onLoop = Atomic<Int>(0)
        let elsewhere = Atomic<Int>(0)
    }

    private final class Value {
        private let loop: EventLoop
        private let counts: Counts
        init(_ loop: EventLoop, _ counts: Counts) {
            self.loop = loop
            self.counts = counts
        }
        deinit {
            if loop.executor.isIsolatingCurrentContext() == true {
                counts.onLoop.add(1, ordering: .relaxed)
            } else {
                counts.elsewhere.add(1, ordering: .relaxed)
            }
        }
    }

    @Test("is released by that loop, whoever lets go of it")
    func released() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        let counts = Counts()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1_000 {
                group.addTask {
                    let bound = try await loop.run { loop in LoopBound(Value(loop, counts), on: loop) }
                    // Let go of here, on a thread of the global pool.
                    withExtendedLifetime(bound) {}
                }
            }
            try await group.waitForAll()
        }
        // Each release was sent to the loop before this.
        try await loop.run { _ in }
        #expect(counts.onLoop.load(ordering: .relaxed) == 1_000)
        #expect(counts.elsewhere.load(ordering: .relaxed) == 0)
    }
}
