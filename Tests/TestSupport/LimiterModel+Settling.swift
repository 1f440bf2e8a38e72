extension LimiterModel {
    /// What a completion really cost; an empty outcome is a void, which is not billed.
    package struct Settlement: Sendable, Equatable {
        package var id: String
        package var prompt: Int64
        package var output: Int64
        package var outcome: String
        package var tokens: Int64 { prompt + output }

        package init(id: String, prompt: Int64, output: Int64, outcome: String) {
            self.id = id
            self.prompt = prompt
            self.output = output
            self.outcome = outcome
        }
    }

    /// What one settlement gives back to an account; the tokens are negative where more was spent than reserved.
    private struct Change {
        let slots: Int64
        let requests: Int64
        let tokens: Int64
        let admittedAt: Int64
    }

    /// Settles a batch: each completion once, but for one that was settled for a dead process and whose own word comes after all.
    /// - Returns: the ids that need no further attempt.
    package mutating func settle(_ batch: [Settlement]) -> Set<String> {
        var mine: [String: [Change]] = [:]
        var ofInstance: [Change] = []
        var taken: Set<String> = []
        for settlement in batch {
            if let reservation = reservations[settlement.id] {
                taken.insert(settlement.id)
                reservations[settlement.id] = nil
                let isVoid = settlement.outcome.isEmpty
                let change = Change(
                    slots: 1, requests: isVoid ? 1 : 0, tokens: reservation.cost - settlement.tokens,
                    admittedAt: reservation.admittedAt)
                mine[reservation.user, default: []].append(change)
                if reservation.chargesInstance { ofInstance.append(change) }
                if isVoid { continue }
                bills[settlement.id] = Bill(
                    user: reservation.user, startedAt: reservation.admittedAt, tokens: settlement.tokens,
                    outcome: settlement.outcome, finishedAt: clock)
            } else if var bill = bills[settlement.id] {
                taken.insert(settlement.id)
                guard bill.outcome == "process_lost", settlement.outcome != "process_lost", !settlement.outcome.isEmpty else {
                    continue
                }
                let change = Change(slots: 0, requests: 0, tokens: bill.tokens - settlement.tokens, admittedAt: bill.startedAt)
                mine[bill.user, default: []].append(change)
                if isGuarded { ofInstance.append(change) }
                bill.tokens = settlement.tokens
                bill.outcome = settlement.outcome
                bill.finishedAt = clock
                bills[settlement.id] = bill
            }
        }
        for (user, changes) in mine { accounts[user].map { accounts[user] = changed($0, by: changes) } }
        if !ofInstance.isEmpty { instance = changed(instance, by: ofInstance) }
        return taken
    }

    private func changed(_ account: ModelAccount, by changes: [Change]) -> ModelAccount {
        var account = account
        account.advance(to: clock)
        // What was admitted on a day that is over is in no count any more.
        let ofDay = changes.filter { UTCCalendar.day($0.admittedAt) >= account.day ?? .min }
        let ofMonth = changes.filter { UTCCalendar.month($0.admittedAt) >= account.month ?? .min }
        func sum(_ changes: [Change], _ part: (Change) -> Int64) -> Int64 { changes.reduce(0) { $0 + part($1) } }
        account.charge(
            slots: -sum(changes, \.slots), requests: -sum(changes, \.requests), tokens: -sum(changes, \.tokens),
            ofDay: -sum(ofDay, \.tokens), ofMonth: -sum(ofMonth, \.tokens))
        return account
    }
}
