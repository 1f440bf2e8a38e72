/// The limiter as it ought to be: what is admitted, what is refused and why, and what a settlement gives back. Pure: the clock is
/// a property. Upstreams' buckets and sessions are left out.
package struct LimiterModel: Sendable, Equatable {
    /// What a user may spend; nil for no limit.
    package struct Limits: Sendable, Equatable {
        package var requestsPerMinute: Int64?
        package var tokensPerMinute: Int64?
        package var concurrentStreams: Int64?
        package var maxTokensCap: Int64?
        package var maxTokensDefault: Int64 = 256
        package var models: [String]?
        package var tokensPerDay: Int64?
        package var tokensPerMonth: Int64?

        package init() {}
    }

    /// A request for admission. Ids are lower-case UUIDs: their order is the order of their bytes.
    package struct Ask: Sendable, Equatable {
        package var id: String
        package var user: String
        package var prompt: Int64
        package var wanted: Int64?
        package var model: String

        package init(id: String, user: String, prompt: Int64, wanted: Int64?, model: String) {
            self.id = id
            self.user = user
            self.prompt = prompt
            self.wanted = wanted
            self.model = model
        }
    }

    /// What is said to a request; but for the verdict nil where it does not apply.
    package struct Answer: Sendable, Equatable {
        package var verdict: String
        package var maxTokens: Int64?
        package var cost: Int64?
        package var requestsPerMinute: Int64?
        package var requestUnits: Int64?
        package var tokensPerMinute: Int64?
        package var tokenUnits: Int64?
        package var concurrentStreams: Int64?
        package var inFlight: Int64?
        package var wait: Int64?
        package var remaining: Int64?

        package init(verdict: String) { self.verdict = verdict }
    }

    /// Something admitted and not settled, or an id under which nothing may be admitted.
    package struct Reservation: Sendable, Equatable {
        package let user: String
        package let cost: Int64
        package let admittedAt: Int64
        package let chargesInstance: Bool
    }

    /// A row of the bill.
    package struct Bill: Sendable, Equatable {
        package let user: String
        package let startedAt: Int64
        package var tokens: Int64
        package var outcome: String
        package var finishedAt: Int64
    }

    package var clock: Int64
    package var limits: [String: Limits] = [:]
    package var accounts: [String: ModelAccount] = [:]
    package var instance: ModelAccount
    package var instancePerDay: Int64?
    package var instancePerMonth: Int64?
    package var isPaused = false
    package var reservations: [String: Reservation] = [:]
    package var bills: [String: Bill] = [:]

    package var isGuarded: Bool { instancePerDay != nil || instancePerMonth != nil }

    /// - Parameter users: with their limits.
    package init(clock: Int64, users: [String: Limits]) {
        self.clock = clock
        limits = users
        accounts = users.mapValues { _ in ModelAccount(at: clock) }
        instance = ModelAccount(at: clock)
    }

    // MARK: Admitting

    /// Decides on a batch, those of one user in the order of their coming, and the users in the order of their ids.
    package mutating func reserve(_ asks: [Ask]) -> [Answer] {
        var answers: [Int: Answer] = [:]
        for (place, ask) in asks.enumerated().sorted(by: { ($0.element.user, $0.offset) < ($1.element.user, $1.offset) }) {
            var answer = judge(ask)
            if answer.verdict == "admitted", let cost = answer.cost, var mine = accounts[ask.user], let limits = limits[ask.user]
            {
                mine.advance(
                    to: clock, requestsPerMinute: limits.requestsPerMinute, tokensPerMinute: limits.tokensPerMinute)
                mine.admit(cost)
                accounts[ask.user] = mine
                if isGuarded {
                    instance.advance(to: clock, requestsPerMinute: nil, tokensPerMinute: nil)
                    instance.admit(cost)
                }
                reservations[ask.id] = Reservation(
                    user: ask.user, cost: cost, admittedAt: mine.at, chargesInstance: isGuarded)
                answer.requestUnits = mine.requestUnits
                answer.tokenUnits = mine.tokenUnits
                answer.inFlight = mine.inFlight
            }
            answers[place] = answer
        }
        return asks.indices.compactMap { answers[$0] }
    }

    private func judge(_ ask: Ask) -> Answer {
        guard let limits = limits[ask.user], var mine = accounts[ask.user] else { return Answer(verdict: "unknown_user") }
        mine.advance(to: clock, requestsPerMinute: limits.requestsPerMinute, tokensPerMinute: limits.tokensPerMinute)
        let maxTokens = min(ask.wanted ?? limits.maxTokensDefault, limits.maxTokensCap ?? .max)
        let cost = ask.prompt + maxTokens
        var answer = Answer(verdict: "admitted")
        answer.maxTokens = maxTokens
        answer.cost = cost
        answer.requestsPerMinute = mine.requestsPerMinute
        answer.requestUnits = mine.requestUnits
        answer.tokensPerMinute = mine.tokensPerMinute
        answer.tokenUnits = mine.tokenUnits
        answer.concurrentStreams = limits.concurrentStreams
        answer.inFlight = mine.inFlight
        func refused(_ verdict: String, wait: Int64? = nil, remaining: Int64? = nil) -> Answer {
            var refusal = answer
            refusal.verdict = verdict
            refusal.wait = wait
            refusal.remaining = remaining
            return refusal
        }

        if reservations[ask.id] != nil || bills[ask.id] != nil { return refused("repeated") }
        if isPaused { return refused("paused") }
        if let models = limits.models, !models.contains(ask.model) { return refused("model_not_allowed") }
        let mostAtOnce = [
            limits.tokensPerMinute, limits.tokensPerDay, limits.tokensPerMonth, instancePerDay, instancePerMonth,
        ].compactMap(\.self).min()
        if let mostAtOnce, cost > mostAtOnce { return refused("exceeds_plan", remaining: mostAtOnce) }
        if let budget = limits.tokensPerMonth, mine.monthTokens + cost > budget {
            return refused("month_budget", wait: untilNextMonth(of: mine), remaining: budget - mine.monthTokens)
        }
        if let budget = limits.tokensPerDay, mine.dayTokens + cost > budget {
            return refused("day_budget", wait: untilNextDay(of: mine), remaining: budget - mine.dayTokens)
        }
        let forRequest = ModelAccount.wait(for: ModelAccount.unit, at: mine.requestUnits, mine.requestsPerMinute)
        let forTokens = ModelAccount.wait(for: cost * ModelAccount.unit, at: mine.tokenUnits, mine.tokensPerMinute)
        if forRequest > forTokens { return refused("request_rate", wait: forRequest) }
        if forTokens > 0 { return refused("token_rate", wait: forTokens) }
        if let most = limits.concurrentStreams, mine.inFlight >= most { return refused("concurrency") }

        var whole = instance
        whole.advance(to: clock, requestsPerMinute: nil, tokensPerMinute: nil)
        if let budget = instancePerMonth, whole.monthTokens + cost > budget {
            return refused("instance_month", wait: untilNextMonth(of: whole))
        }
        if let budget = instancePerDay, whole.dayTokens + cost > budget {
            return refused("instance_day", wait: untilNextDay(of: whole))
        }
        return answer
    }

    private func untilNextDay(of account: ModelAccount) -> Int64? {
        account.day.map { ($0 + 1) * UTCCalendar.microsecondsPerDay - account.at }
    }

    private func untilNextMonth(of account: ModelAccount) -> Int64? {
        account.month.map { UTCCalendar.monthAfter($0) * UTCCalendar.microsecondsPerDay - account.at }
    }

    /// Takes one request and no tokens, if there is one; nil where there is no such user.
    package mutating func charge(_ user: String) -> ModelAccount? {
        guard var mine = accounts[user], let limits = limits[user] else { return nil }
        mine.advance(to: clock, requestsPerMinute: limits.requestsPerMinute, tokensPerMinute: limits.tokensPerMinute)
        if mine.requestUnits >= ModelAccount.unit {
            mine.charge(slots: 0, requests: 1, tokens: 0, ofDay: 0, ofMonth: 0)
            accounts[user] = mine
        }
        return mine
    }
}
