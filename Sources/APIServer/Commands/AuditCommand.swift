import ArgumentParser
import Auth
import PlaygroundCore
import Postgres

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "What happened to accounts: who, what, when, from where; newest first.",
        discussion: """
            \(OperatorDatabase.need) Moments are given as 2026-11-01T00:00:00Z or as 2026-11-01, a day of UTC; --since is part of what is \
            shown, --until is not. An event without an address was the operator's own. Refusals of one kind from one place within \
            a minute share a row, and `count` tells how many they were.

            Columns are separated by tabs; --json writes an object a line, --csv what RFC 4180 has.
            """)

    @Option(help: "The account: its id, or its e-mail address while it exists.")
    var user: String?
    @Option(
        help: ArgumentHelp(
            "What happened: \(AuditEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "kind"))
    var kind: AuditEvent.Kind?
    @Option(help: "How it ended: succeeded, failed or throttled.")
    var outcome: AuditEvent.Outcome?
    @Option(help: "From this moment on.")
    var since: AuditMoment?
    @Option(help: "Before this moment.")
    var until: AuditMoment?
    @Option(help: "So many events at most; 0 for all.")
    var limit = 1_000
    @OptionGroup var output: RowOptions

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit has to be 0 or more") }
    }

    func run() throws {
        let connection = try BlockingConnection(try OperatorDatabase.configuration())
        var report = AuditReport()
        do {
            report.user = try user.map { try UserID($0) ?? AuditReport.user(email: $0, on: connection) }
        } catch let error as ServiceError {
            throw CommandFailure(error)
        }
        report.kind = kind
        report.outcome = outcome
        report.since = since?.timestamp
        report.until = until?.timestamp
        report.limit = limit == 0 ? nil : limit
        try output.print(columns: AuditReport.columns, number: "count") { try report.run(on: connection, $0) }
    }
}

/// A moment of UTC, or the beginning of a day.
struct AuditMoment: ExpressibleByArgument {
    let timestamp: Timestamp

    init?(argument: String) {
        let text = argument.utf8.count == 10 ? argument + "T00:00:00Z" : argument
        guard let timestamp = Timestamp(argument: text) else { return nil }
        self.timestamp = timestamp
    }
}

extension AuditEvent.Kind: ExpressibleByArgument {}
extension AuditEvent.Outcome: ExpressibleByArgument {}
