import Postgres
import StrictJSON

/// A limit of a plan; its raw value is its name on the wire, in commands, and as a column.
package enum Limit: String, Sendable, CaseIterable {
    case requestsPerMinute = "requests_per_minute"
    case tokensPerMinute = "tokens_per_minute"
    case concurrentStreams = "concurrent_streams"
    case maxTokensCap = "max_tokens_cap"
    /// The `max_tokens` of a request that names none. A plan without one has that of plan `default`.
    case maxTokensDefault = "max_tokens_default"
    case tokensPerDay = "tokens_per_day"
    case tokensPerMonth = "tokens_per_month"

    /// What it may be, as the schema has it too.
    package var range: ClosedRange<Int64> {
        switch self {
        case .requestsPerMinute, .tokensPerMinute: 1...1_000_000_000
        case .concurrentStreams: 1...1_000_000
        case .maxTokensCap, .maxTokensDefault: 1...2_147_483_647
        case .tokensPerDay, .tokensPerMonth: 0...1_000_000_000_000_000
        }
    }

    /// Whether the servers' environment says what it is in plan `default`.
    package var isOfEnvironment: Bool {
        switch self {
        case .tokensPerDay, .tokensPerMonth: false
        default: true
        }
    }
}

/// What a plan allows, or what it allows one user.
package struct PlanLimits: Sendable, Equatable {
    /// What is absent has no limit.
    package var numbers: [Limit: Int64] = [:]
    /// The models that may be used, of those that the servers allow; nil for all of them.
    package var models: [String]?

    package init() {}

    package subscript(limit: Limit) -> Int64? { numbers[limit] }
}

extension PlanLimits {
    /// How many columns it is read from.
    static let columns = Limit.allCases.count + 1

    /// Reads the limits in the order of ``Limit``, then the models as JSON, beginning at a column.
    init(_ result: PostgresResult, row: Int, from first: Int) throws(PostgresError) {
        for (index, limit) in Limit.allCases.enumerated() {
            numbers[limit] = try result.intIfPresent(row, first + index)
        }
        if let json = try result.stringIfPresent(row, first + Limit.allCases.count) {
            guard let names = (try? JSONValue(parsing: Array(json.utf8)))?.array?.compactMap(\.string) else {
                throw .decoding("models are no array")
            }
            models = names
        }
    }
}

/// What becomes of a limit.
package enum LimitChange<Value: Sendable & Equatable>: Sendable, Equatable {
    case set(Value)
    /// No limit.
    case lift
    /// As the plan has it: of a user's overrides alone.
    case inherit
}

/// Changes to a plan, or to what differs from the plan for one user. What is not named stays as it is.
package struct LimitChanges: Sendable, Equatable {
    /// Values within ``Limit/range``.
    package var numbers: [Limit: LimitChange<Int64>] = [:]
    /// Names that are not empty, each without commas.
    package var models: LimitChange<[String]>?

    package init() {}

    /// Whether nothing is to be changed.
    package var isEmpty: Bool { numbers.isEmpty && models == nil }

    /// What is set or lifted, as the object that the schema's overrides are: null lifts.
    var overrides: String {
        var writer = JSONWriter()
        writer.object { writer in
            for limit in Limit.allCases {
                switch numbers[limit] {
                case .set(let number): writer.member(named: limit.rawValue, number)
                case .lift: writer.member(named: limit.rawValue) { $0.null() }
                case .inherit, nil: break
                }
            }
            switch models {
            case .set(let names): writer.member(named: Self.modelsName, names)
            case .lift: writer.member(named: Self.modelsName) { $0.null() }
            case .inherit, nil: break
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// What is to be as the plan has it.
    var inherited: [String] {
        Limit.allCases.filter { numbers[$0] == .inherit }.map(\.rawValue) + (models == .inherit ? [Self.modelsName] : [])
    }

    private static let modelsName = "models"
}
