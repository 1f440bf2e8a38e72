import TestSupport

/// One thing that happens to the limiter.
enum LimiterOperation: Equatable {
    /// Microseconds; the clock may also be set back.
    case pass(Int64)
    case reserve([LimiterModel.Ask])
    case settle([LimiterModel.Settlement])
    /// The database did not answer: these are forbidden, and what was admitted is undone.
    case void([String], user: String)
    /// The same for a second attempt under the id of one that was admitted, by its user or by another: nothing changes.
    case voidAgain(String, user: String)
    /// A request that was refused after its sender was known.
    case charge(user: String)
    case change(LimiterModel.Limits, user: String)
    case budgets(day: Int64?, month: Int64?)
    case pause(Bool)
}

/// Random sequences of operations that mean something to a model in its present state: ids that run, ids that were settled,
/// users with much and with little left.
struct LimiterOperations {
    /// The evening of the last but one day of a month, and far enough ahead that nothing is too old for the database.
    static let start: Int64 = 1_896_040_800_000_000
    static let names = ["m", "n"]

    var random: SeededGenerator
    let users: [String]
    /// Whether clocks are ever set back and plans ever changed.
    let isSteady: Bool

    init(seed: UInt64, users count: Int, isSteady: Bool = false) {
        var random = SeededGenerator(seed: seed)
        users = (0..<count).map { _ in random.uuid() }
        self.random = random
        self.isSteady = isSteady
    }

    /// The users with random limits.
    mutating func model() -> LimiterModel {
        var limits: [String: LimiterModel.Limits] = [:]
        for user in users { limits[user] = randomLimits() }
        return LimiterModel(clock: Self.start, users: limits)
    }

    mutating func randomLimits() -> LimiterModel.Limits {
        var limits = LimiterModel.Limits()
        limits.requestsPerMinute = maybe([1, 7, 60, 600])
        limits.tokensPerMinute = maybe([90, 1_000, 9_973, 90_000])
        limits.concurrentStreams = maybe([1, 4, 20])
        limits.maxTokensCap = maybe([50, 300])
        limits.maxTokensDefault = pick([10, 256])
        limits.models = random.chance(80) ? nil : ["n"]
        limits.tokensPerDay = random.chance(60) ? nil : pick([0, 900, 5_000, 100_000])
        limits.tokensPerMonth = random.chance(60) ? nil : pick([2_000, 20_000, 400_000])
        return limits
    }

    mutating func next(_ model: LimiterModel) -> LimiterOperation {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: return .reserve(asks(model))
        case 40..<62: return .settle(settlements(model))
        case 62..<82: return .pass(duration())
        case 82..<87: return .charge(user: anyone())
        case 87..<91:
            let mine = model.reservations
            if let (id, reservation) = mine.sorted(by: { $0.key < $1.key }).randomElement(using: &random), random.chance(80) {
                if random.chance(40) { return .voidAgain(id, user: random.chance(50) ? reservation.user : pick(users)) }
                return .void([id], user: reservation.user)
            }
            return .void([random.uuid()], user: anyone())
        case 91..<95: return isSteady ? .pass(1) : .change(randomLimits(), user: pick(users))
        case 95..<98: return isSteady ? .pass(1) : .budgets(day: maybe([2_000, 50_000]), month: maybe([3_000, 10_000, 500_000]))
        default: return .pause(!model.isPaused && random.chance(20))
        }
    }

    private mutating func asks(_ model: LimiterModel) -> [LimiterModel.Ask] {
        (0..<pick([1, 1, 1, 2, 5, 12])).map { _ in
            var id = random.uuid()
            if random.chance(5) {
                id = (model.reservations.keys.sorted() + model.bills.keys.sorted()).randomElement(using: &random) ?? id
            }
            return LimiterModel.Ask(
                id: id, user: anyone(), prompt: .random(in: 0...pick([5, 100, 2_000]), using: &random),
                wanted: random.chance(30) ? nil : .random(in: 1...pick([10, 400]), using: &random), model: pick(Self.names))
        }
        .reduce(into: []) { asks, ask in if !asks.contains(where: { $0.id == ask.id }) { asks.append(ask) } }
    }

    private mutating func settlements(_ model: LimiterModel) -> [LimiterModel.Settlement] {
        let running = model.reservations.keys.sorted()
        let lost = model.bills.filter { $0.value.outcome == "process_lost" }.keys.sorted()
        let settled = model.bills.keys.sorted()
        var ids: [String] = []
        for _ in 0..<pick([1, 1, 2, 8]) {
            let source = random.chance(75) ? running : random.chance(60) ? lost : settled
            if let id = source.randomElement(using: &random) ?? (random.chance(10) ? random.uuid() : nil), !ids.contains(id) {
                ids.append(id)
            }
        }
        return ids.map { id in
            let reserved = model.reservations[id]?.cost ?? model.bills[id]?.tokens ?? 10
            let isOver = random.chance(15)
            let prompt = Int64.random(in: 0...(isOver ? 3 * reserved + 5 : reserved / 2), using: &random)
            let output = Int64.random(in: 0...(isOver ? 100 : reserved / 2), using: &random)
            let outcome = pick(["done", "done", "stopped", "failed", "client_gone", "process_lost", "process_lost", ""])
            let isVoid = outcome.isEmpty
            return LimiterModel.Settlement(id: id, prompt: isVoid ? 0 : prompt, output: isVoid ? 0 : output, outcome: outcome)
        }
    }

    private mutating func duration() -> Int64 {
        let longest: Int64 = pick([1, 1_000, 1_000_000, 20_000_000, 120_000_000, 7_200_000_000, 90_000_000_000])
        let duration = Int64.random(in: 0...longest, using: &random)
        return !isSteady && random.chance(5) ? -min(duration, 300_000_000) : duration
    }

    private mutating func anyone() -> String { random.chance(2) ? random.uuid() : pick(users) }

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &random)]
    }

    private mutating func maybe(_ values: [Int64]) -> Int64? { random.chance(25) ? nil : pick(values) }
}

extension LimiterModel {
    /// Does it; the answers where it is a reservation.
    @discardableResult
    mutating func apply(_ operation: LimiterOperation) -> [Answer] {
        switch operation {
        case .pass(let microseconds): clock += microseconds
        case .reserve(let asks): return reserve(asks)
        case .settle(let batch): _ = settle(batch)
        case .void(let ids, _):
            _ = settle(ids.map { Settlement(id: $0, prompt: 0, output: 0, outcome: "") })
        case .voidAgain: break
        case .charge(let user): _ = charge(user)
        case .change(let limits, let user): self.limits[user] = limits
        case .budgets(let day, let month): (instancePerDay, instancePerMonth) = (day, month)
        case .pause(let isPaused): self.isPaused = isPaused
        }
        return []
    }
}
