import PlaygroundCore
import Testing

@testable import RateLimit

@Suite("The queue of settlements")
struct SettlementQueueTests {
    private static func id(_ number: Int) -> CompletionID { CompletionID(UUIDBytes(high: 0x7000, low: UInt64(number))) }

    private static func settlement(_ number: Int) -> Settlement {
        let usage = Usage(promptTokens: number, completionTokens: 0, source: .exact, maxTokensApplied: 1)
        return Settlement(completionID: id(number), usage: usage, outcome: .done)
    }

    private func queue(_ numbers: Range<Int>) -> SettlementQueue {
        var queue = SettlementQueue()
        for number in numbers { queue.add(Self.settlement(number)) }
        return queue
    }

    @Test("gives each completion once, oldest first, a batch at a time")
    func batches() {
        var queue = queue(0..<700)
        queue.add(Self.settlement(3))
        #expect(queue.count == 700)
        let first = queue.take()
        #expect(first.map(\.completionID) == (0..<500).map(Self.id))
        let second = queue.take()
        #expect(second.count == 200)
        let third = queue.take()
        #expect(third.isEmpty)
        #expect(!queue.isEmpty)
    }

    @Test("does not take a completion again while it is being written")
    func once() {
        var queue = queue(0..<1)
        let batch = queue.take()
        queue.add(Self.settlement(0))
        let meanwhile = queue.take()
        #expect(meanwhile.isEmpty)
        let abandoned = queue.finished(batch, acknowledged: [Self.id(0)])
        #expect(abandoned.isEmpty)
        #expect(queue.isEmpty)
    }

    @Test("tells what a completion will be settled at, from when it is queued until it is written")
    func pending() {
        var queue = queue(0..<2)
        let batch = queue.take()
        #expect(queue.settlement(of: Self.id(1))?.usage.promptTokens == 1)
        _ = queue.failed(batch, isPoison: false)
        #expect(queue.settlement(of: Self.id(1)) != nil)
        let again = queue.take()
        _ = queue.finished(again, acknowledged: [Self.id(1)])
        #expect(queue.settlement(of: Self.id(1)) == nil)
        #expect(queue.settlement(of: Self.id(0)) != nil, "not taken yet")
    }

    @Test("keeps a batch that the database has not taken, in its place")
    func failure() {
        var queue = queue(0..<600)
        let batch = queue.take()
        let abandoned = queue.failed(batch, isPoison: false)
        #expect(abandoned == nil)
        let again = queue.take()
        #expect(again.map(\.completionID) == batch.map(\.completionID))
        #expect(queue.count == 600)
    }

    @Test("tries an unknown completion a few times and then gives it up by name")
    func unknown() {
        var queue = queue(0..<2)
        for attempt in 1...SettlementQueue.highestAttempts {
            let given = queue.finished(queue.take(), acknowledged: [Self.id(0)])
            #expect(given == (attempt == SettlementQueue.highestAttempts ? [Self.id(1)] : []))
        }
        #expect(queue.isEmpty)
    }

    @Test("finds the entry that the database refuses, gives it up, and writes all others")
    func poison() {
        var queue = queue(0..<100)
        let bad = Self.id(37)
        var written: Set<CompletionID> = []
        var abandoned: [CompletionID] = []
        var statements = 0
        while !queue.isEmpty, statements < 100 {
            statements += 1
            let batch = queue.take()
            let ids = Set(batch.map(\.completionID))
            if ids.contains(bad) {
                if let id = queue.failed(batch, isPoison: true) { abandoned.append(id) }
            } else {
                _ = queue.finished(batch, acknowledged: ids)
                written.formUnion(ids)
            }
        }
        #expect(abandoned == [bad])
        #expect(written.count == 99)
        #expect(queue.isEmpty)
    }
}
