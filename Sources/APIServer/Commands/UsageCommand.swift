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
            if text.isLarge { StandardOutput.write(text.take()) }
        }
        StandardOutput.write(text.take())
    }
}

extension UsageBreakdown: ExpressibleByArgument {}

/// Rows of fields as text: comma-separated values (RFC 4180), or columns between tabs for people.
struct ReportText {
    /// So many bytes are worth a write.
    private static let large = 64 * 1024
    private let isCSV: Bool
    private var bytes: [UInt8] = []

    init(isCSV: Bool) { self.isCSV = isCSV }

    /// Enough has come together to be written.
    var isLarge: Bool { bytes.count >= Self.large }

    /// What has come together, which is then gone from here.
    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    /// Appends a row; nil is an empty field.
    mutating func append(_ row: [String?]) {
        let fields = row.map { field in isCSV ? Self.value(field ?? "") : Self.plain(field ?? "-") }
        bytes.append(contentsOf: (fields.joined(separator: isCSV ? "," : "\t") + (isCSV ? "\r\n" : "\n")).utf8)
    }

    /// Appends a line that is made already.
    mutating func append(line: [UInt8]) {
        bytes.append(contentsOf: line)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Names come from users and upstreams: a spreadsheet must not take one for a formula. The program's own dates, ids and
    /// numbers begin with none of these.
    private static func value(_ field: String) -> String {
        var field = field
        if let first = field.utf8.first, "=+-@".utf8.contains(first) || first < 0x20 { field = "'" + field }
        guard field.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return field }
        return "\"\(field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
    }

    /// Without what would break the line or speak to the terminal.
    private static func plain(_ field: String) -> String {
        String(String.UnicodeScalarView(field.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }
}
