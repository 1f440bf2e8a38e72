import PlaygroundCore
import Testing

@testable import Streaming

@Suite("What follows a failed attempt")
struct AttemptPlanTests {
    /// An upstream that is busy, and says for how long or not.
    static func busy(_ wait: Duration? = nil) -> UpstreamFault {
        .refused(status: 503, UpstreamErrorReport(), retryAfter: wait)
    }
    static let broken = UpstreamFault.refused(status: 500, UpstreamErrorReport(), retryAfter: nil)
    static let refused = UpstreamFault.refused(status: 400, UpstreamErrorReport(), retryAfter: nil)

    /// Drives a plan until it gives up: each upstream fails as its list says, and the last entry is repeated.
    /// - Returns: whom it asked, and when.
    static func run(
        _ faults: [[UpstreamFault]], latest: Int64 = 7000, random: Double = 0.5, took: Int64 = 0
    ) -> (asked: [Int], at: [Int64], plan: AttemptPlan) {
        var plan = AttemptPlan(candidates: faults.count, latest: latest)
        var (asked, times): ([Int], [Int64]) = ([], [])
        var now: Int64 = 0
        while true {
            switch plan.next(now: now, spared: { _ in .min }) {
            case .ask(let index):
                let nth = asked.count { $0 == index }
                asked.append(index)
                times.append(now)
                plan.asked(index)
                now += took
                plan.failed(index, faults[index][min(nth, faults[index].count - 1)], now: now, random: random)
            case .wait(let time): now = time
            case .giveUp: return (asked, times, plan)
            }
        }
    }

    @Test(
        "the same upstream is asked again after 429, 502, 503, 504, and where no connection came about",
        arguments: [
            UpstreamFault.refused(status: 429, UpstreamErrorReport(), retryAfter: nil),
            .refused(status: 502, UpstreamErrorReport(), retryAfter: nil), busy(),
            .refused(status: 504, UpstreamErrorReport(), retryAfter: nil), .unreachable("refused"), .timedOut(.connect),
            .errorEvent(UpstreamErrorReport(body: Array(#"{"error":{"code":503}}"#.utf8).span)),
        ])
    func again(fault: UpstreamFault) { #expect(Self.run([[fault]]).asked == [0, 0, 0, 0, 0]) }

    static let elsewhere: [UpstreamFault] =
        [401, 403, 500, 501, 302, 204, 529].map { .refused(status: $0, UpstreamErrorReport(), retryAfter: nil) } + [
            .notAStream, .malformedEvent("x"), .tooLarge, .endedEarly, .errorEvent(UpstreamErrorReport()),
            .brokeOff("reset", isAfterHead: false), .brokeOff("reset", isAfterHead: true), .malformedAnswer("x"),
            .timedOut(.firstByte), .timedOut(.firstToken),
            .refused(
                status: 429, UpstreamErrorReport(body: Array(#"{"error":{"code":"insufficient_quota"}}"#.utf8).span),
                retryAfter: .milliseconds(1)),
        ]

    @Test("what is pointless or unsafe to ask of the same upstream is asked of another", arguments: elsewhere)
    func other(fault: UpstreamFault) {
        #expect(Self.run([[fault]]).asked == [0])
        #expect(Self.run([[fault], [fault]]).asked == [0, 1])
    }

    static let never: [UpstreamFault] =
        [400, 404, 413, 422].map { .refused(status: $0, UpstreamErrorReport(), retryAfter: .zero) } + [
            .errorEvent(UpstreamErrorReport(body: Array(#"{"error":{"code":"context_length_exceeded"}}"#.utf8).span)),
            .timedOut(.total),
        ]

    @Test("a request that cannot succeed is asked nowhere again", arguments: never)
    func hopeless(fault: UpstreamFault) {
        let run = Self.run([[fault], [Self.busy()]])
        #expect(run.asked == [0])
        #expect(run.plan.fault == fault)
    }

    @Test("another upstream is asked at once, in order; only then is waited for one that may be asked again")
    func order() {
        let run = Self.run([[Self.busy()], [Self.broken], [Self.busy()]])
        #expect(run.asked == [0, 1, 2, 0, 2])
        #expect(run.at == [0, 0, 0, 188, 188])
    }

    @Test("the wait is half of 250, 500, 1000, 2000 ms to all of it", arguments: [0, 0.5, 0.999])
    func jitter(random: Double) {
        let at = Self.run([[Self.busy()]], random: random).at
        let waits = zip(at, at.dropFirst()).map { $1 - $0 }
        #expect(waits == [125.0, 250, 500, 1000].map { Int64(($0 * (1 + random)).rounded(.up)) })
    }

    @Test("one that needs 2 s to start is reached nineteen times in twenty, and one that is away costs 2 to 4 s")
    func reach() {
        var generator = DialectTests.Generator(state: 0x9E37_79B9_7F4A_7C15)
        var reaches: [Int64] = []
        for _ in 0..<2000 {
            var plan = AttemptPlan(candidates: 1, latest: 7000)
            var now: Int64 = 0
            waiting: while true {
                switch plan.next(now: now, spared: { _ in .min }) {
                case .ask:
                    plan.asked(0)
                    plan.failed(0, Self.busy(), now: now, random: .random(in: 0..<1, using: &generator))
                case .wait(let time): now = time
                case .giveUp: break waiting
                }
            }
            reaches.append(now)
        }
        #expect(reaches.count { $0 >= 2000 } > 1900)
        #expect(reaches.sorted()[1000] < 3000)
        #expect(reaches.allSatisfy { $0 < 4000 })
    }

    @Test("with more upstreams than attempts each is asked once, and none twice")
    func many() { #expect(Self.run(Array(repeating: [Self.busy()], count: 6)).asked == [0, 1, 2, 3, 4, 5]) }

    @Test("an upstream's wait is kept to, and the jitter comes on top")
    func retryAfter() {
        #expect(Self.run([[Self.busy(.milliseconds(700))]], random: 0).at == [0, 700, 1400, 2100, 2800])
        #expect(Self.run([[Self.busy(.milliseconds(700)), Self.broken]], random: 0.9).at == [0, 925])
    }

    @Test("a wait that does not end in time is not begun: another upstream is asked, or the client is told how long")
    func tooLong() {
        let alone = Self.run([[Self.busy(.seconds(8))]])
        #expect(alone.asked == [0])
        #expect(alone.plan.fault?.retryAfter == .seconds(8))
        let both = Self.run([[Self.busy(.seconds(8))], [Self.broken]])
        #expect(both.asked == [0, 1])
        #expect(both.plan.fault == Self.busy(.seconds(8)))
        let shortest = Self.run([[Self.busy(.seconds(9))], [Self.busy(.seconds(8))]])
        #expect(shortest.plan.fault?.retryAfter == .seconds(8))
    }

    @Test("no attempt begins after the latest moment, not even elsewhere")
    func late() {
        #expect(Self.run([[Self.broken], [Self.broken]], latest: 1000, took: 1000).asked == [0, 1])
        #expect(Self.run([[Self.broken], [Self.broken]], latest: 1000, took: 1001).asked == [0])
        #expect(Self.run([[Self.busy()]], latest: 200, random: 0.5).at == [0, 188])
        #expect(Self.run([[Self.broken]], latest: -1).asked == [0], "the first attempt is always made")
    }

    @Test("the client hears of the last fault")
    func lastFault() {
        #expect(Self.run([[Self.busy(.zero), Self.broken]]).plan.fault == Self.broken)
        #expect(Self.run([[Self.busy()], [Self.broken]], latest: 20).plan.fault == Self.broken)
    }

    @Test("who is spared is passed over, and nobody at all means giving up at once")
    func breakers() {
        var plan = AttemptPlan(candidates: 2, latest: 7000)
        #expect(plan.next(now: 0) { _ in 1 } == .giveUp, "nobody was asked yet: nobody is waited for")
        #expect(plan.fault == nil)
        #expect(plan.next(now: 0) { index in index == 1 ? .min : 500 } == .ask(1))
        plan.asked(1)
        plan.failed(1, Self.busy(.milliseconds(100)), now: 0, random: 0)
        #expect(plan.next(now: 0) { index in index == 1 ? .min : 500 } == .wait(until: 100))
        #expect(plan.next(now: 50) { _ in .min } == .ask(0), "one that has come back is asked at once")
    }

    @Test("who is spared is waited for where it was asked before, as long as that ends in time")
    func sparedMeanwhile() {
        var plan = AttemptPlan(candidates: 1, latest: 7000)
        plan.asked(0)
        plan.failed(0, Self.busy(.milliseconds(100)), now: 0, random: 0)
        #expect(plan.next(now: 0) { _ in 500 } == .wait(until: 500))
        #expect(plan.next(now: 0) { _ in 50 } == .wait(until: 100))
        #expect(plan.next(now: 500) { _ in 500 } == .ask(0))
        #expect(plan.next(now: 500) { _ in 1500 } == .wait(until: 1500), "another one was let through as a probe")
        #expect(plan.next(now: 500) { _ in 7000 } == .wait(until: 7000))
        #expect(plan.next(now: 500) { _ in 7001 } == .giveUp)
    }
}
