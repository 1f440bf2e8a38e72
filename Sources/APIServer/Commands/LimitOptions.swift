import ArgumentParser
import Auth
import PlaygroundCore
import RateLimit

/// A number, `none` or `plan` behind an option.
struct LimitArgument: ExpressibleByArgument {
    let change: LimitChange<Int64>

    init?(argument: String) {
        switch argument {
        case "none": change = .lift
        case "plan": change = .inherit
        default:
            guard let number = Int64(argument) else { return nil }
            change = .set(number)
        }
    }
}

/// Names of models with commas between, `any` or `plan`.
struct ModelsArgument: ExpressibleByArgument {
    let change: LimitChange<[String]>

    init?(argument: String) {
        switch argument {
        case "any": change = .lift
        case "plan": change = .inherit
        default:
            let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
            let isUsable = names.allSatisfy { CompletionParameters.Limits.model.contains($0.count) && !$0.utf8.contains(0) }
            guard isUsable else { return nil }
            change = .set(names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
        }
    }
}

/// The name of a plan.
struct PlanName: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        // As the schema has it.
        guard argument.wholeMatch(of: /[a-z0-9][a-z0-9_-]{0,49}/) != nil else { return nil }
        text = argument
    }
}

/// A user by id or by e-mail address.
struct UserArgument: ExpressibleByArgument {
    let reference: UserReference

    init?(argument: String) {
        if let id = UserID(argument) {
            reference = .id(id)
        } else {
            guard let address = try? EmailAddress(parsing: argument) else { return nil }
            reference = .email(address.description)
        }
    }
}

/// The limits of a plan as options of a command.
struct LimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Completions a minute, and at once; or `none`.", valueName: "n"))
    var requestsPerMinute: LimitArgument?

    @Option(help: ArgumentHelp("Prompt and completion tokens a minute, and at once; or `none`.", valueName: "n"))
    var tokensPerMinute: LimitArgument?

    @Option(help: ArgumentHelp("Completions that may run at the same time; or `none`.", valueName: "n"))
    var concurrentStreams: LimitArgument?

    @Option(help: ArgumentHelp("The highest `max_tokens`: more is lowered to it; or `none`.", valueName: "n"))
    var maxTokensCap: LimitArgument?

    @Option(
        help: ArgumentHelp(
            "The `max_tokens` of a request that names none; or `none`, for that of plan `default`.", valueName: "n"))
    var maxTokensDefault: LimitArgument?

    @Option(
        help: ArgumentHelp(
            "The models that may be used, separated by commas, of those that the servers allow; or `any`.", valueName: "names"))
    var models: ModelsArgument?

    @Option(help: ArgumentHelp("Tokens a day of UTC; or `none`.", valueName: "n"))
    var tokensPerDay: LimitArgument?

    @Option(help: ArgumentHelp("Tokens a month of UTC; or `none`.", valueName: "n"))
    var tokensPerMonth: LimitArgument?

    /// - Parameter mayInherit: whether there is a plan to have a value from.
    func changes(mayInherit: Bool) throws -> LimitChanges {
        var changes = LimitChanges()
        let given: [(Limit, LimitArgument?)] = [
            (.requestsPerMinute, requestsPerMinute), (.tokensPerMinute, tokensPerMinute), (.concurrentStreams, concurrentStreams),
            (.maxTokensCap, maxTokensCap), (.maxTokensDefault, maxTokensDefault), (.tokensPerDay, tokensPerDay),
            (.tokensPerMonth, tokensPerMonth),
        ]
        for (limit, argument) in given {
            guard let argument else { continue }
            changes.numbers[limit] = try argument.checked(limit, mayInherit: mayInherit)
        }
        if models?.change == .inherit, !mayInherit { throw ValidationError("--models of a plan are names, or `any`") }
        changes.models = models?.change
        return changes
    }
}

extension LimitArgument {
    /// The change, if the limit may be what it says.
    func checked(_ limit: Limit, mayInherit: Bool) throws -> LimitChange<Int64> {
        let option = "--" + limit.rawValue.map { $0 == "_" ? "-" : String($0) }.joined()
        switch change {
        case .set(let number) where !limit.range.contains(number):
            throw ValidationError("\(option) has to be \(limit.range.lowerBound) to \(limit.range.upperBound), or `none`")
        case .inherit where !mayInherit: throw ValidationError("\(option) has to be a number, or `none`")
        default: return change
        }
    }
}
