import RateLimit
import StrictJSON

/// Lines of cells, padded so that columns stand below each other.
struct TextTable {
    private var rows: [[String]] = []

    mutating func add(_ cells: String...) { rows.append(cells) }
    mutating func add(_ cells: [String]) { rows.append(cells) }

    var text: String {
        let widths = (0..<(rows.map(\.count).max() ?? 0)).map { column in
            rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                let isLast = column == row.count - 1
                if !isLast { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }
}

extension PlanLimits {
    /// The limits by their names, one a line.
    func addRows(to table: inout TextTable) {
        for limit in Limit.allCases { table.add(limit.rawValue, text(of: limit)) }
        table.add("models", models?.joined(separator: ",") ?? "any")
    }

    func text(of limit: Limit) -> String { self[limit].map { "\($0)" } ?? "none" }

    /// The limits as members of the object that is open: null for none, so that a program finds each of them.
    func writeMembers(to writer: inout JSONWriter) {
        for limit in Limit.allCases { writer.memberOrNull(limit.rawValue, self[limit]) }
        writer.memberOrNull("models", models)
    }
}

extension JSONWriter {
    /// Unlike the API's answers, those of commands name what is absent.
    mutating func memberOrNull(_ name: String, _ value: (some JSONWritable)?) {
        if let value { member(named: name, value) } else { member(named: name) { $0.null() } }
    }
}
