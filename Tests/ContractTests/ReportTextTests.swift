import Testing

@testable import APIServer

@Suite("The text of the operator's report")
struct ReportTextTests {
    private static func text(_ rows: [[String?]], isCSV: Bool) -> String {
        var text = ReportText(isCSV: isCSV)
        for row in rows { text.append(row) }
        return String(decoding: text.take(), as: UTF8.self)
    }

    @Test("in comma-separated values quotes what has to be quoted, and ends lines as RFC 4180 has it")
    func csv() {
        let rows: [[String?]] = [["a", nil, ""], ["x,y", "say \"hi\"", "two\r\nlines"], ["été", " spaced ", "1.5"]]
        #expect(
            Self.text(rows, isCSV: true)
                == "a,,\r\n\"x,y\",\"say \"\"hi\"\"\",\"two\r\nlines\"\r\nété, spaced ,1.5\r\n")
    }

    @Test(
        "holds no formula for a spreadsheet, whatever a model or a person is called",
        arguments: [
            ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "\"'\r=1\""),
            ("=\"a\",1", "\"'=\"\"a\"\",1\""), ("a=1", "a=1"), ("'", "'"),
        ])
    func formulas(field: String, written: String) {
        #expect(Self.text([[field]], isCSV: true) == written + "\r\n")
    }

    @Test("between tabs keeps every row on its line, and says nothing to the terminal")
    func plain() {
        #expect(
            Self.text([["a\tb", nil, "c\nd", "\u{1B}[2J", "=1"]], isCSV: false) == "a\u{FFFD}b\t-\tc\u{FFFD}d\t\u{FFFD}[2J\t=1\n")
    }

    @Test("is taken in parts, which are the whole")
    func parts() {
        var text = ReportText(isCSV: true)
        var bytes: [UInt8] = []
        for _ in 0..<10_000 {
            text.append([String(repeating: "x", count: 20)])
            if text.isLarge { bytes += text.take() }
        }
        #expect(!bytes.isEmpty)
        #expect((bytes + text.take()).count == 220_000)
        #expect(text.take().isEmpty)
    }
}
