import Testing

@testable import EventLoop

@Suite("The timer wheel")
struct TimerWheelTests {
    /// A wheel moved by hand, recording when each timer fired.
    private final class Bench {
        let wheel = TimerWheel(now: 1_000)
        var now: Int64 = 1_000
        var fired: [Int64] = []
        func timer() -> LoopTimer { LoopTimer { [unowned self] in fired.append(now) } }
        func run(to end: Int64) {
            while now < end {
                now += 1
                wheel.advance(to: now)
            }
        }
    }

    @Test(
        "fires never early and at most two ticks late",
        arguments: [0, 1, 7, 8, 9, 100, 4_095, 4_096, 5_000, 65_528, 70_000] as [Int64])
    func precision(after: Int64) {
        let bench = Bench()
        bench.wheel.schedule(bench.timer(), after: after, now: bench.now)
        bench.run(to: 1_000 + after + 100)
        #expect(bench.fired.count == 1)
        let late = (bench.fired.first ?? 0) - 1_000 - after
        #expect(late >= 0 && late <= 2 * TimerWheel.tick)
    }

    @Test("a refreshed timer fires at its new time only")
    func refresh() {
        let bench = Bench()
        let timer = bench.timer()
        bench.wheel.schedule(timer, after: 50, now: bench.now)
        bench.run(to: 1_040)
        timer.deadline = bench.now + 50
        bench.run(to: 1_085)
        #expect(bench.fired.isEmpty)
        bench.run(to: 1_200)
        #expect(bench.fired.count == 1)
    }

    @Test("a cancelled timer never fires and lets the loop sleep")
    func cancel() {
        let bench = Bench()
        let timer = bench.timer()
        bench.wheel.schedule(timer, after: 50, now: bench.now)
        bench.wheel.cancel(timer)
        #expect(!timer.isArmed)
        bench.run(to: 2_000)
        #expect(bench.fired.isEmpty)
        #expect(bench.wheel.nextDue == Int64.max)
    }

    @Test("a timer at rest does not fire, and can be armed again, earlier or later than before", arguments: [10, 500] as [Int64])
    func rest(again: Int64) {
        let bench = Bench()
        let timer = bench.timer()
        bench.wheel.schedule(timer, after: 50, now: bench.now)
        bench.wheel.rest(timer)
        #expect(!timer.isArmed)
        bench.wheel.schedule(timer, after: again, now: bench.now)
        #expect(timer.isArmed)
        bench.run(to: 1_000 + again - 1)
        #expect(bench.fired.isEmpty)
        bench.run(to: 1_000 + again + 2 * TimerWheel.tick)
        #expect(bench.fired.count == 1)
        bench.wheel.schedule(timer, after: 50, now: bench.now)
        bench.wheel.rest(timer)
        bench.run(to: 3_000)
        #expect(bench.fired.count == 1)
        #expect(bench.wheel.nextDue == Int64.max)
    }

    @Test("a quiet loop sleeps until the next timer, however far off within a turn", arguments: [50, 5_000, 60_000] as [Int64])
    func sleep(after: Int64) {
        let bench = Bench()
        bench.wheel.schedule(bench.timer(), after: after, now: bench.now)
        #expect(bench.wheel.nextDue >= 1_000 + after)
        bench.wheel.schedule(bench.timer(), after: 8, now: bench.now)
        bench.run(to: 1_040)
        #expect(bench.fired.count == 1)
        #expect(bench.wheel.nextDue >= 1_000 + after)
    }

    @Test("an action may cancel its neighbours and arm itself again")
    func reentrancy() {
        let bench = Bench()
        let victims = (0..<10).map { _ in bench.timer() }
        var again = 0
        var killer: LoopTimer?
        let timer = LoopTimer {
            for victim in victims { bench.wheel.cancel(victim) }
            again += 1
            if again < 3, let killer { bench.wheel.schedule(killer, after: 10, now: bench.now) }
        }
        killer = timer
        for victim in victims { bench.wheel.schedule(victim, after: 50, now: bench.now) }
        // Linked last, so it stands first in its slot.
        bench.wheel.schedule(timer, after: 50, now: bench.now)
        bench.run(to: 1_500)
        #expect(again == 3)
        // A slot is walked in reverse order of linking, so either all or none of the victims came first.
        #expect(bench.fired.count == 10 || bench.fired.isEmpty)
    }

    @Test("ten thousand timers at random times each fire once, none early, also over long sleeps")
    func many() {
        var random = SystemRandomNumberGenerator()
        let wheel = TimerWheel(now: 0)
        var now: Int64 = 0
        var early = 0
        var fired = 0
        for _ in 0..<10_000 {
            let after = Int64.random(in: 0..<20_000, using: &random)
            wheel.schedule(
                LoopTimer {
                    fired += 1
                    if now < after { early += 1 }
                }, after: after, now: 0)
        }
        while now < 30_000 {
            now += Int64.random(in: 1..<6_000, using: &random)
            wheel.advance(to: now)
        }
        #expect(fired == 10_000)
        #expect(early == 0)
    }
}
