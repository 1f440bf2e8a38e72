import PlaygroundCore
import Testing

@testable import RateLimit

@Suite("Which completions are reported")
struct ProgressScheduleTests {
    private static func running(_ number: Int, _ tokens: Int) -> (id: CompletionID, usage: Usage) {
        (
            CompletionID(UUIDBytes(high: 0x7000, low: UInt64(number))),
            Usage(promptTokens: 1, completionTokens: tokens, source: .counted, maxTokensApplied: 1)
        )
    }

    /// The seconds in which one completion is due that has so many tokens in each second.
    private func seconds(_ tokens: [Int]) -> [Int] {
        var schedule = ProgressSchedule()
        return tokens.indices.filter { second in !schedule.due([Self.running(1, tokens[second])]).isEmpty }
    }

    @Test("one that has output is due in the second after it was first seen, then every five")
    func steady() {
        #expect(seconds(Array(1...14)) == [1, 6, 11])
    }

    @Test("one that is silent is due as well, because its owner may want it stopped; and again as soon as it has output")
    func late() {
        #expect(seconds([0, 0, 0, 1, 2, 3, 4, 5, 6, 7]) == [1, 3, 8])
        #expect(seconds(Array(repeating: 0, count: 12)) == [1, 6, 11])
    }

    @Test("one that is gone within a second costs no report")
    func short() {
        var schedule = ProgressSchedule()
        for number in 0..<10 {
            let due = schedule.due([Self.running(number, 5)])
            #expect(due.isEmpty)
        }
    }

    @Test("the newest numbers are given, and each completion has seconds of its own")
    func several() {
        var schedule = ProgressSchedule()
        _ = schedule.due([Self.running(1, 1)])
        let first = schedule.due([Self.running(1, 2), Self.running(2, 1)])
        #expect(first.map(\.usage.completionTokens) == [2])
        let second = schedule.due([Self.running(1, 3), Self.running(2, 7)])
        #expect(second.map(\.usage.completionTokens) == [7])
    }
}
