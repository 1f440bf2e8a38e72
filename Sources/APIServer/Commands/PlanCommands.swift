import ArgumentParser
import Auth
import PlaygroundCore
package import RateLimit
package import StrictJSON

/// What users may spend.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Create, change, show and assign plans: what users may spend.",
        discussion: """
            \(OperatorDatabase.need) A change holds for the next request on every replica, nothing is restarted; what runs goes on. \
            Requests and tokens a minute, streams and both kinds of `max_tokens` of plan `default` are what the servers' \
            environment variables say, each time a server starts; its models and its budgets a day and a month can be set here.
            """,
        subcommands: [Set.self, List.self, Show.self, Delete.self, Assign.self, Override.self])

    /// How a command answers.
    struct Output: ParsableArguments {
        @Flag(help: "Print JSON, for programs; null is no limit.")
        var json = false

        func print(_ plan: PlanEntry) {
            if json { return StandardOutput.line(plan.jsonText) }
            var table = TextTable()
            table.add("plan", plan.name)
            table.add("users", "\(plan.users)")
            plan.limits.addRows(to: &table)
            StandardOutput.line(table.text)
        }

        func print(_ user: UserLimits) {
            if json { return StandardOutput.line(user.jsonText) }
            var table = TextTable()
            table.add("user", "\(user.id)")
            table.add("email", user.email ?? "none")
            table.add("plan", user.plan)
            user.limits.addRows(to: &table)
            table.add("overrides", user.overrides)
            StandardOutput.line(table.text)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a plan, or create it as a copy of `default`.",
            discussion: """
                \(OperatorDatabase.need) Where there is no plan of this name, one is made that has the limits of `default`, so that \
                nothing is without a limit that nobody lifted. An option that is not given leaves its limit as it is.
                """)

        @Argument(help: "1 to 50 of a-z, 0-9, `-` and `_`; not `-` or `_` first.")
        var name: PlanName
        @OptionGroup var options: LimitOptions
        @OptionGroup var output: Output

        func validate() throws { _ = try options.changes(mayInherit: false) }

        func run() async throws {
            let (name, changes) = (name.text, try options.changes(mayInherit: false))
            let plan = try await OperatorDatabase.run { try await PlanBook(database: $0).set(name, changes) }
            output.print(plan)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all plans.", discussion: "\(OperatorDatabase.need)")

        @OptionGroup var output: Output

        func run() async throws {
            let plans = try await OperatorDatabase.run { try await PlanBook(database: $0).plans() }
            if output.json { return StandardOutput.line(plans.jsonText) }
            var table = TextTable()
            table.add(["plan", "users"] + Limit.allCases.map(\.rawValue) + ["models"])
            for plan in plans {
                table.add(
                    [plan.name, "\(plan.users)"] + Limit.allCases.map { plan.limits.text(of: $0) }
                        + [plan.limits.models?.joined(separator: ",") ?? "any"])
            }
            StandardOutput.line(table.text)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one plan.", discussion: "\(OperatorDatabase.need)")

        @Argument(help: "The plan's name.")
        var name: PlanName
        @OptionGroup var output: Output

        func run() async throws {
            let name = name.text
            output.print(try await OperatorDatabase.run { try await PlanBook(database: $0).plan(name) })
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a plan that no user has.", discussion: "\(OperatorDatabase.need)")

        @Argument(help: "The plan's name.")
        var name: PlanName

        func run() async throws {
            let name = name.text
            try await OperatorDatabase.run { try await PlanBook(database: $0).delete(name) }
        }
    }

    struct Assign: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user another plan.", discussion: "\(OperatorDatabase.need) What was overridden for the user stays.")

        @Argument(help: "The user's id or e-mail address.")
        var user: UserArgument
        @Argument(help: "The plan's name.")
        var name: PlanName
        @OptionGroup var output: Output

        func run() async throws {
            let (user, name) = (user.reference, name.text)
            output.print(
                try await OperatorDatabase.run { database in
                    let assigned = try await PlanBook(database: database).assign(name, to: user)
                    try await OperatorAccounts.audit(.planAssigned, assigned.id, database, detail: "plan \(name)")
                    return assigned
                })
        }
    }

    struct Override: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change limits for one user, or show what holds for them.",
            discussion: """
                \(OperatorDatabase.need) What is given here stands over the user's plan, whichever that is: a number, `none` for no \
                limit at all, or `plan` to have it as the plan again. Without options nothing is changed, and what holds is shown.
                """)

        @Argument(help: "The user's id or e-mail address.")
        var user: UserArgument
        @OptionGroup var options: LimitOptions
        @Flag(help: "Forget all that was overridden before.")
        var clear = false
        @OptionGroup var output: Output

        func validate() throws { _ = try options.changes(mayInherit: true) }

        func run() async throws {
            let (user, changes, clear) = (user.reference, try options.changes(mayInherit: true), clear)
            output.print(
                try await OperatorDatabase.run { database in
                    let book = PlanBook(database: database)
                    if changes.isEmpty, !clear { return try await book.limits(of: user) }
                    return try await book.override(user, changes, clearing: clear)
                })
        }
    }
}

extension PlanEntry: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", name)
            writer.member("users", users)
            limits.writeMembers(to: &writer)
        }
    }
}

extension UserLimits: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("email", email)
            writer.member("plan", plan)
            limits.writeMembers(to: &writer)
            writer.member("overrides") { $0.raw(overrides) }
        }
    }
}
