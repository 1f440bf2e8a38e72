import Foundation
import TestSupport
import Testing

@testable import RateLimit

/// What a limiter promises, of the model that the real one is compared with. Each seed is a sequence of random operations.
@Suite("The model of the limiter")
struct LimiterModelTests {
    /// LEDGER_SEEDS names others, to repeat one or to try many.
    static let seeds =
        ProcessInfo.processInfo.environment["LEDGER_SEEDS"]?.split(separator: ",").compactMap { UInt64($0) } ?? [1, 2, 3, 4, 5]
    private static let steps = 1_000

    @Test("in every window of time admits no more than the burst and what the rate gives", arguments: seeds)
    func windows(seed: UInt64) {
        var operations = LimiterOperations(seed: seed, users: 4, isSteady: true)
        var model = operations.model()
        var windows: [String: (requests: WindowCheck, tokens: WindowCheck)] = model.limits.mapValues {
            (WindowCheck(perMinute: $0.requestsPerMinute), WindowCheck(perMinute: $0.tokensPerMinute))
        }
        var admitted = 0
        for _ in 0..<Self.steps {
            let operation = operations.next(model)
            let before = model
            let answers = model.apply(operation)
            switch operation {
            case .reserve(let asks):
                for (ask, answer) in zip(asks, answers) where answer.verdict == "admitted" {
                    admitted += 1
                    let cost = answer.cost ?? 0
                    #expect(windows[ask.user]?.requests.take(1, at: model.clock, isAdmission: true) == true, "seed \(seed)")
                    #expect(windows[ask.user]?.tokens.take(cost, at: model.clock, isAdmission: true) == true, "seed \(seed)")
                }
            case .charge(let user) where model != before:
                _ = windows[user]?.requests.take(1, at: model.clock, isAdmission: true)
            case .settle, .void:
                // A batch is one change: what it takes and gives back is summed up first.
                var given: [String: (requests: Int64, tokens: Int64)] = [:]
                for (id, reservation) in before.reservations where model.reservations[id] == nil {
                    given[reservation.user, default: (0, 0)].tokens += reservation.cost - (model.bills[id]?.tokens ?? 0)
                    if model.bills[id] == nil { given[reservation.user, default: (0, 0)].requests += 1 }
                }
                for (id, bill) in before.bills {
                    given[bill.user, default: (0, 0)].tokens += bill.tokens - (model.bills[id]?.tokens ?? 0)
                }
                for (user, given) in given {
                    _ = windows[user]?.requests.take(-given.requests, at: model.clock, isAdmission: false)
                    _ = windows[user]?.tokens.take(-given.tokens, at: model.clock, isAdmission: false)
                }
            default: break
            }
        }
        #expect(admitted > 100, "seed \(seed) tries nothing")
    }

    @Test("a refusal changes nothing at all", arguments: seeds)
    func refusals(seed: UInt64) {
        var operations = LimiterOperations(seed: seed, users: 4)
        var model = operations.model()
        for _ in 0..<Self.steps {
            let operation = operations.next(model)
            let before = model
            let answers = model.apply(operation)
            guard case .reserve = operation else { continue }
            #expect((model == before) == !answers.contains { $0.verdict == "admitted" }, "seed \(seed)")
        }
    }

    @Test("random operations meet every answer there is, and every way to settle")
    func coverage() {
        var verdicts: Set<String> = []
        var outcomes: Set<String> = []
        for seed: UInt64 in 1...5 {
            var operations = LimiterOperations(seed: seed, users: 6)
            var model = operations.model()
            for _ in 0..<400 { verdicts.formUnion(model.apply(operations.next(model)).map(\.verdict)) }
            outcomes.formUnion(model.bills.values.map(\.outcome))
        }
        // Sessions and upstreams are not in the model.
        let others: Set<Decision.Verdict> = [.sessionRevoked, .upstreamRate]
        #expect(verdicts == Set(Decision.Verdict.allCases.filter { !others.contains($0) }.map(\.rawValue)))
        #expect(outcomes == Set(SettlementOutcome.allCases.map(\.rawValue)))
    }

    @Test(
        "what is settled adds up: no slot is left, and each day's and month's count is what was billed for it", arguments: seeds)
    func sums(seed: UInt64) {
        var operations = LimiterOperations(seed: seed, users: 4)
        var model = operations.model()
        for _ in 0..<Self.steps { model.apply(operations.next(model)) }
        let running = model.reservations
        _ = model.settle(running.map { LimiterModel.Settlement(id: $0.key, prompt: 1, output: 2, outcome: "done") })
        for (user, account) in model.accounts {
            let bills = model.bills.values.filter { $0.user == user }
            #expect(account.inFlight == 0, "seed \(seed)")
            let today = bills.filter { UTCCalendar.day($0.startedAt) == account.day }.reduce(0) { $0 + $1.tokens }
            let thisMonth = bills.filter { UTCCalendar.month($0.startedAt) == account.month }.reduce(0) { $0 + $1.tokens }
            #expect(account.dayTokens == today, "seed \(seed)")
            #expect(account.monthTokens == thisMonth, "seed \(seed)")
        }
        #expect(model.instance.inFlight == 0, "seed \(seed)")
    }

    @Test("who waits as long as was told is admitted, if nobody else asks, and never before", arguments: seeds)
    func retryAfter(seed: UInt64) {
        var operations = LimiterOperations(seed: seed, users: 4)
        var model = operations.model()
        var told = 0
        for _ in 0..<Self.steps {
            let operation = operations.next(model)
            let before = model
            let answers = model.apply(operation)
            // One alone: what the others of a batch took is not what it was told.
            guard case .reserve(let asks) = operation, asks.count == 1, let wait = answers[0].wait else { continue }
            // Behind a clock that was set back, a wait counts from the latest moment that the row has seen.
            let account = answers[0].verdict.hasPrefix("instance") ? before.instance : before.accounts[asks[0].user]
            let from = max(before.clock, account?.at ?? before.clock)
            var early = before
            early.clock = from + wait - 1
            #expect(early.reserve(asks)[0].verdict != "admitted", "seed \(seed): \(answers[0])")
            var due = before
            due.clock = from + wait
            let then = due.reserve(asks)[0]
            // Another limit may stand behind the one that was told; the same one does not.
            #expect(then.verdict != answers[0].verdict, "seed \(seed): \(answers[0])")
            let isRate = answers[0].verdict == "request_rate" || answers[0].verdict == "token_rate"
            let passes = ["admitted", "concurrency", "instance_day", "instance_month"].contains(then.verdict)
            if isRate { #expect(passes, "seed \(seed): \(answers[0]), then \(then)") }
            told += 1
        }
        #expect(told > 20, "seed \(seed) tries nothing")
    }

    @Test(
        "knows the calendar",
        arguments: [
            (0, 0, 31), (30, 0, 31), (31, 31, 59), (58, 31, 59), (59, 59, 90), (10_956, 10_926, 10_957), (11_015, 10_988, 11_017),
            (11_016, 10_988, 11_017), (21_973, 21_946, 21_974), (22_005, 22_005, 22_035),
        ] as [(Int64, Int64, Int64)])
    func calendar(day: Int64, first: Int64, next: Int64) {
        #expect(UTCCalendar.day(day * UTCCalendar.microsecondsPerDay + 5) == day)
        #expect(UTCCalendar.month((day + 1) * UTCCalendar.microsecondsPerDay - 1) == first)
        #expect(UTCCalendar.monthAfter(first) == next)
    }
}
