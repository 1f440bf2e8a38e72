import PlaygroundCore
import Testing

@testable import RateLimit

@Suite("What a decision tells the client")
struct DecisionTests {
    private static let attempt = UUIDBytes(high: 1, low: 2)

    /// A user with everything free on a plan of 60 requests and 900 tokens.
    private func decision(
        _ verdict: Decision.Verdict, wait: Duration? = nil, remaining: Int64? = nil, requests: Int64 = 60, tokens: Int64 = 900
    ) -> Decision {
        Decision(
            verdict: verdict, maxTokens: 50, upstream: nil, cost: 100,
            requests: TokenBucket(level: requests * TokenBucket.unitsPerToken, perMinute: 60),
            tokens: TokenBucket(level: tokens * TokenBucket.unitsPerToken, perMinute: 900), concurrentStreams: 4, inFlight: 4,
            wait: wait, remaining: remaining)
    }

    private func refusal(_ decision: Decision) throws -> (error: ServiceError, snapshot: BucketSnapshot?) {
        guard case .refused(let error, let snapshot) = decision.admission(of: Self.attempt) else { throw NotRefused() }
        return (error, snapshot)
    }

    private struct NotRefused: Error {}

    @Test("an admitted request hears its max_tokens and what is left")
    func admitted() throws {
        guard case .admitted(let grant) = decision(.admitted, requests: 59, tokens: 800).admission(of: Self.attempt) else {
            throw NotRefused()
        }
        #expect(grant.maxTokens == 50)
        #expect(grant.snapshot.requests?.limit == 60)
        #expect(grant.snapshot.requests?.remaining == 59)
        #expect(grant.snapshot.requests?.reset == .seconds(1))
        #expect(grant.snapshot.tokens?.reset == .microseconds(6_666_667))
    }

    @Test("a limit that the plan does not have is not told")
    func unlimited() throws {
        var decision = decision(.admitted)
        decision.requests = nil
        guard case .admitted(let grant) = decision.admission(of: Self.attempt) else { throw NotRefused() }
        #expect(grant.snapshot.requests == nil)
        #expect(grant.snapshot.tokens != nil)
    }

    @Test("a rate that is short says how long to wait", arguments: [Decision.Verdict.requestRate, .tokenRate])
    func rates(verdict: Decision.Verdict) throws {
        let (error, snapshot) = try refusal(decision(verdict, wait: .milliseconds(2_500)))
        #expect(error.code == .rateLimitExceeded)
        #expect(error.retryAfter == .milliseconds(2_500))
        #expect(error.retryable)
        #expect(snapshot != nil)
    }

    @Test(
        "a budget that is short is a quota: not to be repeated, and told until when",
        arguments: [Decision.Verdict.dayBudget, .monthBudget, .instanceDay, .instanceMonth])
    func budgets(verdict: Decision.Verdict) throws {
        let (error, snapshot) = try refusal(decision(verdict, wait: .seconds(3_600), remaining: 7))
        #expect(error.code == .insufficientQuota)
        #expect(!error.retryable)
        #expect(error.retryAfter == .seconds(3_600))
        #expect(error.detail.contains("100"))
        #expect(snapshot != nil)
    }

    @Test("what can never be admitted is not to be repeated")
    func never() throws {
        let (error, _) = try refusal(decision(.exceedsPlan, remaining: 90))
        #expect(error.code == .requestExceedsPlan)
        #expect(!error.retryable)
        #expect(error.retryAfter == nil)
        #expect(error.detail.contains("100") && error.detail.contains("90"))
        let upstream = try refusal(decision(.upstreamRate)).error
        #expect(upstream.code == .requestExceedsPlan)
    }

    @Test("an upstream that is busy with all users is waited for")
    func upstream() throws {
        let (error, _) = try refusal(decision(.upstreamRate, wait: .seconds(2)))
        #expect(error.code == .rateLimitExceeded)
        #expect(error.retryAfter == .seconds(2))
    }

    @Test(
        "other refusals have their codes",
        arguments: [
            (Decision.Verdict.repeated, ErrorCode.completionIDConflict, true), (.paused, .completionsPaused, true),
            (.modelNotAllowed, .modelNotAllowed, true), (.concurrency, .concurrencyLimit, true),
            (.sessionRevoked, .sessionRevoked, false), (.unknownUser, .tokenInvalid, false),
        ])
    func codes(verdict: Decision.Verdict, code: ErrorCode, hasSnapshot: Bool) throws {
        let (error, snapshot) = try refusal(decision(verdict))
        #expect(error.code == code)
        #expect((snapshot != nil) == hasSnapshot)
    }

    @Test("a pause is told in the operator's words, where there are any")
    func pause() throws {
        var decision = decision(.paused)
        #expect(try refusal(decision).error.detail == ErrorCode.completionsPaused.meaning)
        decision.reason = "back at noon"
        #expect(try refusal(decision).error.detail == "back at noon")
    }
}
