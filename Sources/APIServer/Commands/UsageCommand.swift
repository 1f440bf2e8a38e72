import ArgumentParser
import PlaygroundCore
import Postgres
import RateLimit

struct UsageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "What all users have used and cost.",
        discussion: """
            \(OperatorDatabase.need) Days are those of UTC on which completions were admitted, both ends included; without them the \
            last 30 days, with one of them 30 days from or up to it. An address is told where the account still exists, a cost \
            where prices were set.

            Columns are separated by tabs. With --csv they are as RFC 4180 has them, and a text in which a spreadsheet would see \
            a formula, because it begins with = + - @ or a control character, gets an apostrophe in front.
            """)

    @Option(help: "The first day, as 2026-11-01.")
    var from: String?
    @Option(help: "The last day, as 2026-11-30.")
    var to: String?
    @Option(help: "A row for each day, user or model; for every combination of them where absent.")
    var by: UsageBreakdown?
    @Flag(help: "Comma-separated values, for spreadsheets.")
    var csv = false

    /// Throws as an option that cannot be read does.
    private var period: UsagePeriod {
        get throws {
            do {
                return try UsagePeriod(from: from, to: to, longest: nil)
            } catch {
                throw ValidationError(CommandFailure(error).description)
            }
        }
    }

    func validate() throws { _ = try period }

    func run() throws {
        let export = UsageExport(try period, by: by)
        let connection = try BlockingConnection(try OperatorDatabase.configuration())
        var text = ReportText(isCSV: csv)
        text.append(export.columns)
        try export.run(on: connection) { row in
            text.append(row)
            text.writeIfLarge()
        }
        StandardOutput.write(text.take())
    }
}

extension UsageBreakdown: ExpressibleByArgument {}
