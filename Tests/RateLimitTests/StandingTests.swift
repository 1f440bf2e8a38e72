import PlaygroundCore
import Testing

@testable import RateLimit

@Suite("The verdict on a reservation")
struct StandingTests {
    /// A user with everything free on a plan of 60 requests, 900 tokens and 4 streams.
    private func standing(
        admitted: Bool = false, live: Bool = true, repeated: Bool = false, known: Bool = true, requests: Int64 = 60,
        tokens: Int64 = 900, inFlight: Int64? = 0
    ) -> Standing {
        Standing(
            admitted: admitted, sessionIsLive: live, isRepeated: repeated, userIsKnown: known,
            requests: TokenBucket(level: requests * TokenBucket.unitsPerToken, perMinute: 60),
            tokens: TokenBucket(level: tokens * TokenBucket.unitsPerToken, perMinute: 900), inFlight: inFlight)
    }

    private func refusal(_ standing: Standing, cost: Int64 = 100) -> (ServiceError, BucketSnapshot?)? {
        guard case .decided(.refused(let error, let snapshot)) = standing.verdict(cost: cost, concurrentStreams: 4) else {
            return nil
        }
        return (error, snapshot)
    }

    @Test("tells an admitted request what is left")
    func admitted() throws {
        guard
            case .decided(.admitted(let snapshot)) = standing(admitted: true, requests: 59, tokens: 800, inFlight: 1)
                .verdict(cost: 100, concurrentStreams: 4)
        else {
            Issue.record("not admitted")
            return
        }
        #expect(snapshot.limitRequests == 60)
        #expect(snapshot.remainingRequests == 59)
        #expect(snapshot.resetRequests == .seconds(1))
        #expect(snapshot.limitTokens == 900)
        #expect(snapshot.remainingTokens == 800)
        #expect(snapshot.resetTokens == .microseconds(6_666_667))
    }

    @Test("names the bucket that is short and the time until it no longer is")
    func rates() throws {
        let (tokens, snapshot) = try #require(refusal(standing(tokens: 85)))
        #expect(tokens.code == .rateLimitExceeded)
        #expect(tokens.retryAfter == .seconds(1))
        #expect(tokens.retryable)
        #expect(snapshot?.remainingTokens == 85)
        let (requests, _) = try #require(refusal(standing(requests: 0)))
        #expect(requests.code == .rateLimitExceeded)
        #expect(requests.retryAfter == .seconds(1))
        #expect(requests.detail != tokens.detail)
    }

    @Test("gives the longer wait where both are short")
    func longerWait() throws {
        let (error, _) = try #require(refusal(standing(requests: 0, tokens: 55)))
        #expect(error.retryAfter == .seconds(3))
    }

    @Test("asks for a second where all streams are taken")
    func concurrency() throws {
        let (error, snapshot) = try #require(refusal(standing(inFlight: 4)))
        #expect(error.code == .concurrencyLimit)
        #expect(error.retryAfter == .seconds(1))
        #expect(error.retryable)
        #expect(snapshot != nil)
    }

    @Test("says that waiting cannot help where the plan never allows as much")
    func exceedsPlan() throws {
        let (error, snapshot) = try #require(refusal(standing(inFlight: 4), cost: 901))
        #expect(error.code == .requestExceedsPlan)
        #expect(!error.retryable)
        #expect(error.retryAfter == nil)
        #expect(snapshot != nil)
    }

    @Test("puts the session before everything, and an id used before everything that time could mend")
    func precedence() throws {
        #expect(try #require(refusal(standing(live: false, repeated: true, tokens: 0))).0.code == .sessionRevoked)
        #expect(try #require(refusal(standing(live: false))).1 == nil)
        #expect(try #require(refusal(standing(repeated: true, tokens: 0, inFlight: 4))).0.code == .completionIDConflict)
        #expect(try #require(refusal(standing(known: false, inFlight: nil))).0.code == .tokenInvalid)
    }

    @Test("looks again where nothing that it saw stands in the way", arguments: [nil, 0, 3] as [Int64?])
    func lookAgain(inFlight: Int64?) {
        guard case .lookAgain = standing(inFlight: inFlight).verdict(cost: 100, concurrentStreams: 4) else {
            Issue.record("decided")
            return
        }
    }
}
