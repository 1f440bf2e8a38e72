import ArgumentParser
import Auth
import EventLoop
import PlaygroundCore
import Postgres
import RateLimit
import StrictJSON

/// Who has an account.
struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "List, create, invite, disable and enable accounts, reset passwords, assign plans.",
        discussion: """
            \(OperatorDatabase.need) Users are named by id or by e-mail address. What is changed here holds on every replica within a \
            second.
            """,
        subcommands: [
            List.self, Create.self, Invite.self, Disable.self, Enable.self, Reset.self, PlanCommand.Assign.self,
        ])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the accounts, oldest first.",
            discussion: "Columns are separated by tabs; --json writes an object a line, --csv what RFC 4180 has.")

        @Option(help: "Only accounts whose e-mail address contains this.")
        var search: String?
        @OptionGroup var output: RowOptions

        func run() throws {
            let connection = try BlockingConnection(try OperatorDatabase.configuration())
            var report = UserReport()
            report.search = search?.lowercased()
            try output.print(columns: UserReport.columns, number: "sessions") { try report.run(on: connection, $0) }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an account, also where registration is closed.",
            discussion: "The password is read from standard input, so that it is in no history: its first line.")

        @Argument(help: "The address the person logs in with.")
        var email: String
        @OptionGroup var output: UserOutput

        func run() async throws { output.print(user: try await OperatorAccounts.create(email)) }
    }

    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an account for whose password its owner gets a link, good for 7 days.",
            discussion: LinkOptions.discussion)

        @Argument(help: "The address the person logs in with.")
        var email: EmailArgument
        @OptionGroup var delivery: LinkOptions
        @OptionGroup var output: UserOutput

        func run() async throws {
            let email = email.address
            output.print(try await delivery.issue(.accountInvited) { book, way in try await book.invite(email, way) })
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give somebody a link to choose another password, good for an hour.",
            discussion: """
                \(LinkOptions.discussion) The old password is good until then: `user disable` is for an account in the wrong hands.
                """)

        @Argument(help: "The user's id or e-mail address.")
        var user: AccountArgument
        @OptionGroup var delivery: LinkOptions
        @OptionGroup var output: UserOutput

        func run() async throws {
            let user = user.reference
            output.print(try await delivery.issue(.passwordResetRequested) { book, way in try await book.reset(user, way) })
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let nobody log in to an account; who is logged in is logged out, and what they run ends.",
            discussion: "Log-ins are answered as with a wrong password. Nothing of the account is lost.")

        @Argument(help: "The user's id or e-mail address.")
        var user: AccountArgument
        @OptionGroup var output: UserOutput

        func run() async throws {
            let user = user.reference
            output.print(
                user: try await OperatorDatabase.run { database in
                    let id = try await UserBook(database: database, now: SystemClock.microseconds).disable(user)
                    try await OperatorAccounts.audit(.accountDisabled, id, database)
                    return id
                })
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let people log in to a disabled account again.")

        @Argument(help: "The user's id or e-mail address.")
        var user: AccountArgument
        @OptionGroup var output: UserOutput

        func run() async throws {
            let user = user.reference
            output.print(
                user: try await OperatorDatabase.run { database in
                    let id = try await UserBook(database: database, now: SystemClock.microseconds).enable(user)
                    try await OperatorAccounts.audit(.accountEnabled, id, database)
                    return id
                })
        }
    }
}
