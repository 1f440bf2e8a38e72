import ArgumentParser
import StrictJSON

/// How a command prints rows.
struct RowOptions: ParsableArguments {
    @Flag(help: "Comma-separated values, for spreadsheets.")
    var csv = false
    @Flag(help: "An object a line, for programs.")
    var json = false

    func validate() throws {
        guard !(csv && json) else { throw ValidationError("--csv and --json exclude each other") }
    }

    /// Prints the rows that `rows` gives, under a line of the columns' names where it is not JSON.
    /// - Parameter number: the column that is a number in JSON; all others are texts.
    func print(columns: [String], number: String, _ rows: ((([String?]) -> Void)) throws -> Void) throws {
        var text = ReportText(isCSV: csv)
        if !json { text.append(columns) }
        try rows { row in
            if json { text.append(line: Self.object(columns, row, number)) } else { text.append(row) }
            text.writeIfLarge()
        }
        StandardOutput.write(text.take())
    }

    private static func object(_ columns: [String], _ row: [String?], _ number: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            for (column, value) in zip(columns, row) {
                if column == number {
                    writer.member(named: column, value.flatMap { Int($0) })
                } else {
                    writer.member(named: column, value)
                }
            }
        }
        return writer.bytes
    }
}

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

    /// Writes what has come together to standard output, if that is enough.
    mutating func writeIfLarge() {
        if isLarge { StandardOutput.write(take()) }
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
