import Dispatch
import PlaygroundCore
import Synchronization
import Testing

@testable import Streaming

@Suite("A circuit breaker")
struct CircuitBreakerTests {
    /// Open since `now`.
    static func opened(at now: Int64) -> CircuitBreaker {
        var breaker = CircuitBreaker()
        fail(&breaker, until: now)
        return breaker
    }

    /// As many failures as open it, the last one at `now`.
    static func fail(_ breaker: inout CircuitBreaker, until now: Int64) {
        for _ in 1..<CircuitBreaker.threshold { breaker.failed(askedAt: now - 250, now: now - 250) }
        breaker.failed(askedAt: now, now: now)
    }

    @Test("opens with the fifth failure in a row, and an answer in between begins the count anew")
    func opens() {
        var breaker = CircuitBreaker()
        for now: Int64 in [0, 100, 200, 300] { breaker.failed(askedAt: 0, now: now) }
        #expect(!breaker.isOpen)
        breaker.answered()
        for now: Int64 in [400, 500, 600, 700] { breaker.failed(askedAt: 0, now: now) }
        #expect(!breaker.isOpen)
        #expect(breaker.letsThrough(at: 0))
        breaker.failed(askedAt: 0, now: 800)
        #expect(breaker.isOpen)
        #expect(!breaker.letsThrough(at: 800))
    }

    @Test("does not open for what fails in one moment, however much it is: those that come together are all asked once")
    func burst() {
        var breaker = CircuitBreaker()
        for _ in 0..<100 { breaker.failed(askedAt: 0, now: 10) }
        breaker.failed(askedAt: 0, now: 259)
        #expect(!breaker.isOpen)
        breaker.failed(askedAt: 200, now: 260)
        #expect(breaker.isOpen)
    }

    @Test("rests 500 ms, then lets one request through as a probe")
    func probes() {
        var breaker = Self.opened(at: 1000)
        #expect(!breaker.letsThrough(at: 1499))
        #expect(breaker.letsThrough(at: 1500))
        let answers = [breaker.tryAsk(at: 1500), breaker.tryAsk(at: 1500)]
        #expect(answers == [true, false])
        #expect(breaker.letsThrough(at: 2000), "a probe that was given up does not keep it open for ever")
    }

    @Test("rests twice as long after each probe that fails, up to 5 s")
    func doubles() {
        var breaker = Self.opened(at: 0)
        var rests: [Int64] = []
        for _ in 0..<6 {
            let now = breaker.earliest
            let isAsked = breaker.tryAsk(at: now)
            #expect(isAsked)
            breaker.failed(askedAt: now, now: now)
            rests.append(breaker.earliest - now)
        }
        #expect(rests == [1000, 2000, 4000, 5000, 5000, 5000])
    }

    @Test("closes with any answer, and rests 500 ms when it opens again")
    func closes() {
        var breaker = Self.opened(at: 0)
        _ = breaker.tryAsk(at: 500)
        breaker.failed(askedAt: 500, now: 500)
        breaker.answered()
        #expect(!breaker.isOpen)
        #expect(breaker.letsThrough(at: 500))
        Self.fail(&breaker, until: 800)
        #expect(breaker.earliest == 1300)
    }

    @Test("does not take for a probe what was under way when it opened")
    func lateFailures() {
        var breaker = Self.opened(at: 1000)
        for _ in 0..<50 { breaker.failed(askedAt: 900, now: 1200) }
        #expect(breaker.earliest == 1500)
    }

    @Test("lets one of many loops through as a probe, though all come at the same moment")
    func manyLoops() {
        for _ in 0..<200 {
            let circuit = UpstreamCircuit()
            for now: Int64 in [0, 0, 0, 0, 300] { circuit.failed(askedAt: now, now: now) }
            let probes = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                if circuit.tryAsk(at: 800) { probes.add(1, ordering: .relaxed) }
            }
            #expect(probes.load(ordering: .relaxed) == 1)
        }
    }

    @Test(
        "counts what shows nobody there or costs time, and no status",
        arguments: [
            (UpstreamFault.unreachable("refused"), true), (.timedOut(.connect), true), (.timedOut(.firstByte), true),
            (.brokeOff("reset", isAfterHead: false), true), (.brokeOff("reset", isAfterHead: true), false),
            (.refused(status: 503, UpstreamErrorReport(), retryAfter: nil), false), (.timedOut(.firstToken), false),
            (.timedOut(.silence), false), (.timedOut(.total), false), (.malformedAnswer("x"), false), (.crowded, false),
            (.endedEarly, false),
            (.notAStream, false), (.malformedEvent("x"), false), (.tooLarge, false), (.errorEvent(UpstreamErrorReport()), false),
        ])
    func counts(fault: UpstreamFault, isCounted: Bool) { #expect(fault.showsAbsence == isCounted) }
}
