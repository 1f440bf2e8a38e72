import EventLoop
import TestSupport
import Testing

@testable import RateLimit

@Suite("Turns on one thing")
struct TurnsTests {
    private struct Refusal: Error {}

    /// What a crowd at one thing has seen.
    private final class Crowd {
        let turns = Turns()
        var inside = 0
        var most = 0
        var order: [Int] = []
        var refused = 0

        func pass(_ number: Int, _ io: LoopIO) async {
            do throws(Refusal) {
                try await turns.take { () async throws(Refusal) in
                    inside += 1
                    most = max(most, inside)
                    order.append(number)
                    // Sometimes a while, so that all others come meanwhile.
                    if number.isMultiple(of: 50) { await io.pause(.milliseconds(1)) }
                    inside -= 1
                    if number.isMultiple(of: 3) { throw Refusal() }
                }
            } catch {
                refused += 1
            }
        }
    }

    @Test("one after another, everybody once, and whoever fails lets the next one in")
    func order() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        let crowd = try await loop.run { loop in LoopBound(Crowd(), on: loop) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<200 {
                group.addTask { try await loop.run { loop in await crowd.value(on: loop).pass(round, loop.io) } }
            }
            try await group.waitForAll()
        }
        let (most, count, refused) = try await loop.run { loop in
            let crowd = crowd.value(on: loop)
            return (crowd.most, Set(crowd.order).count, crowd.refused)
        }
        #expect(most == 1)
        #expect(count == 200)
        #expect(refused == 67)
        loop.stop()
    }
}
