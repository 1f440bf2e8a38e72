import ArgumentParser
import PlaygroundCore
package import RateLimit
package import StrictJSON

/// What all users together may spend.
struct InstanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instance", abstract: "Show and set what all users together may spend.",
        discussion: "\(OperatorDatabase.need) A change holds for the next request on every replica.",
        subcommands: [Show.self, Set.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the budgets, what is spent of them, and whether completions are paused.",
            discussion: """
                \(OperatorDatabase.need) Spent is what was admitted in the running day or month of UTC: billed, or reserved by what \
                runs. Nothing is counted while there is no budget.
                """)

        @OptionGroup var output: Output

        func run() async throws {
            output.print(try await OperatorDatabase.run { try await InstanceBook(database: $0).standing() })
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the budgets of all users together, per day and month of UTC.",
            discussion: """
                \(OperatorDatabase.need) An option that is not given leaves its budget as it is. The first budget begins the counting: what \
                the running day and month have spent already is taken from the bills and from what runs, to the token. Meanwhile \
                admissions wait, for a second or more where the month has millions of bills. Where something holds the tables for \
                long, a dump for example, nothing is changed and the command fails.
                """)

        @Option(help: ArgumentHelp("Tokens a day; or `none`.", valueName: "n"))
        var tokensPerDay: LimitArgument?
        @Option(help: ArgumentHelp("Tokens a month; or `none`.", valueName: "n"))
        var tokensPerMonth: LimitArgument?
        @OptionGroup var output: Output

        func validate() throws {
            if try changes().isEmpty { throw ValidationError("give --tokens-per-day, --tokens-per-month or both") }
        }

        func run() async throws {
            let changes = try changes()
            output.print(try await OperatorDatabase.run { try await InstanceBook(database: $0).set(changes) })
        }

        private func changes() throws -> LimitChanges {
            var changes = LimitChanges()
            changes.numbers[.tokensPerDay] = try tokensPerDay?.checked(.tokensPerDay, mayInherit: false)
            changes.numbers[.tokensPerMonth] = try tokensPerMonth?.checked(.tokensPerMonth, mayInherit: false)
            return changes
        }
    }

    /// How a command answers.
    struct Output: ParsableArguments {
        @Flag(help: "Print JSON, for programs; null is no limit, or not counted.")
        var json = false

        func print(_ standing: InstanceStanding) {
            if json { return StandardOutput.line(standing.jsonText) }
            var table = TextTable()
            table.add("tokens_per_day", standing.tokensPerDay.map { "\($0)" } ?? "none")
            table.add("used_today", standing.usedToday.map { "\($0)" } ?? "not counted")
            table.add("tokens_per_month", standing.tokensPerMonth.map { "\($0)" } ?? "none")
            table.add("used_this_month", standing.usedThisMonth.map { "\($0)" } ?? "not counted")
            table.add("paused", standing.pausedAt.map { "since \($0)" } ?? "no")
            if let reason = standing.pauseReason { table.add("pause_reason", reason) }
            StandardOutput.line(table.text)
        }
    }
}

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Take no more completions, on any replica, until `resume`.",
        discussion: """
            \(OperatorDatabase.need) Completions that run go on; new ones are refused with 503 `completions_paused`. Pausing again \
            changes the reason.
            """)

    @Option(
        help: ArgumentHelp(
            "Why, for the users to read: GET /api/limits has it. At most \(InstanceBook.longestReason) bytes.", valueName: "text")
    )
    var reason: String?
    @OptionGroup var output: InstanceCommand.Output

    func validate() throws {
        if (reason ?? "").utf8.count > InstanceBook.longestReason {
            throw ValidationError("--reason may have at most \(InstanceBook.longestReason) bytes")
        }
    }

    func run() async throws {
        let reason = reason
        output.print(try await OperatorDatabase.run { try await InstanceBook(database: $0).pause(reason) })
    }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Take completions again after `pause`.", discussion: "\(OperatorDatabase.need)")

    @OptionGroup var output: InstanceCommand.Output

    func run() async throws {
        output.print(try await OperatorDatabase.run { try await InstanceBook(database: $0).resume() })
    }
}

extension InstanceStanding: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.memberOrNull("tokens_per_day", tokensPerDay)
            writer.memberOrNull("used_today", usedToday)
            writer.memberOrNull("tokens_per_month", tokensPerMonth)
            writer.memberOrNull("used_this_month", usedThisMonth)
            writer.memberOrNull("paused_at", pausedAt)
            writer.memberOrNull("pause_reason", pauseReason)
        }
    }
}
