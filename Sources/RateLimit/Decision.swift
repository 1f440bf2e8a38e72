import PlaygroundCore
import Postgres

/// What the database has decided on one request for admission, and what follows from it for the client. Pure.
struct Decision: Equatable {
    enum Verdict: String, CaseIterable {
        case admitted
        case unknownUser = "unknown_user"
        case sessionRevoked = "session_revoked"
        case repeated
        case paused
        case modelNotAllowed = "model_not_allowed"
        case exceedsPlan = "exceeds_plan"
        case dayBudget = "day_budget"
        case monthBudget = "month_budget"
        case requestRate = "request_rate"
        case tokenRate = "token_rate"
        case concurrency
        case instanceDay = "instance_day"
        case instanceMonth = "instance_month"
        case upstreamRate = "upstream_rate"
    }

    var verdict: Verdict
    /// The `max_tokens` that would apply; nil where the user is not known.
    var maxTokens: Int?
    /// The upstream whose limits were charged.
    var upstream: String?
    /// Tokens to reserve.
    var cost: Int64 = 0
    /// Nil where the plan has no such limit.
    var requests: TokenBucket?
    var tokens: TokenBucket?
    var concurrentStreams: Int64?
    /// Completions that run.
    var inFlight: Int64 = 0
    /// Until it may be admitted, if nobody else asks; nil where that is not known.
    var wait: Duration?
    /// What the budget leaves; for ``Verdict/exceedsPlan`` what the tightest limit holds when it is full.
    var remaining: Int64?
    /// Why completions are paused, in the operator's words.
    var reason: String?

    /// The answer to this attempt.
    func admission(of attempt: UUIDBytes) -> Admission {
        let snapshot = BucketSnapshot(requests: requests, tokens: tokens)
        switch verdict {
        case .admitted:
            return .admitted(
                Grant(
                    maxTokens: maxTokens ?? 0, attempt: attempt, upstream: upstream,
                    isShortOfSlots: concurrentStreams.map { $0 - inFlight < Grant.plentyOfSlots } ?? false, snapshot: snapshot))
        case .unknownUser: return .refused(ServiceError(.tokenInvalid, cause: "no such user"), nil)
        case .sessionRevoked: return .refused(ServiceError(.sessionRevoked), nil)
        default: return .refused(refusal, snapshot)
        }
    }

    private var refusal: ServiceError {
        let left = max(0, remaining ?? 0)
        switch verdict {
        case .repeated: return ServiceError(.completionIDConflict)
        case .paused: return ServiceError(.completionsPaused, reason, retryAfter: .seconds(30))
        case .modelNotAllowed:
            return ServiceError(fields: [FieldError("model", .modelNotAllowed, "model names one that the plan does not have")])
        case .exceedsPlan:
            return ServiceError(
                .requestExceedsPlan, "The request may cost up to \(cost) tokens; the plan allows \(left) at once")
        case .dayBudget: return used("today's budget has \(left) left")
        case .monthBudget: return used("this month's budget has \(left) left")
        case .instanceDay: return used("what this server may spend today is nearly used up")
        case .instanceMonth: return used("what this server may spend this month is nearly used up")
        case .upstreamRate:
            let detail = "The model has too many requests from all users together"
            return ServiceError(wait == nil ? .requestExceedsPlan : .rateLimitExceeded, detail, retryAfter: wait)
        case .concurrency:
            let detail = "\(inFlight) completions are running; the plan allows \(concurrentStreams ?? 0)"
            return ServiceError(.concurrencyLimit, detail, retryAfter: .seconds(1))
        default:
            let detail = verdict == .tokenRate ? "Too many tokens a minute" : "Too many requests a minute"
            return ServiceError(.rateLimitExceeded, detail, retryAfter: wait)
        }
    }

    /// A budget is whole again when its day or month is over; clients that repeat a request by themselves shall not wait so long.
    private func used(_ what: String) -> ServiceError {
        ServiceError(.insufficientQuota, "The request may cost up to \(cost) tokens; \(what)", retryAfter: wait)
    }
}

extension Decision {
    /// Reads a row of ``LimitStatements/reserve``.
    init(_ result: PostgresResult, row: Int) throws(PostgresError) {
        guard let verdict = Verdict(rawValue: try result.string(row, 0)) else { throw .decoding("an unknown verdict") }
        self.init(verdict: verdict)
        maxTokens = try result.intIfPresent(row, 1).map { Int($0) }
        upstream = try result.stringIfPresent(row, 2).flatMap { $0.isEmpty ? nil : $0 }
        cost = try result.intIfPresent(row, 3) ?? 0
        requests = try TokenBucket(result, row: row, rate: 4, level: 5)
        tokens = try TokenBucket(result, row: row, rate: 6, level: 7)
        concurrentStreams = try result.intIfPresent(row, 8)
        inFlight = try result.intIfPresent(row, 9) ?? 0
        wait = try result.intIfPresent(row, 10).map { .microseconds($0) }
        remaining = try result.intIfPresent(row, 11)
        reason = try result.stringIfPresent(row, 12)
    }
}

extension TokenBucket {
    /// Reads a bucket; nil where the rate is null, which is no limit.
    init?(_ result: PostgresResult, row: Int, rate: Int, level: Int) throws(PostgresError) {
        guard let perMinute = try result.intIfPresent(row, rate) else { return nil }
        self.init(level: try result.int(row, level), perMinute: perMinute)
    }
}
