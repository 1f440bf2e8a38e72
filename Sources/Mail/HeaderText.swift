import PlaygroundCore

/// Text in header lines: what may stand there, and how it is written where it is not plain ASCII.
enum HeaderText {
    /// No control character and no line separator of Unicode: the text cannot end its line.
    static func isSafe(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
    }

    /// Encoded words of RFC 2047, in Base64, each on a line of its own and none split inside a character.
    static func encodedWords(_ text: String) -> String {
        var words: [[UInt8]] = [[]]
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            // 45 bytes become 60 characters: with their frame of 12 they keep to the 75 that a word may have.
            if let last = words.last, last.count + bytes.count > 45 { words.append([]) }
            words[words.count - 1] += bytes
        }
        return words.map { "=?UTF-8?B?\(padded($0))?=" }.joined(separator: "\r\n ")
    }

    private static func padded(_ bytes: [UInt8]) -> String {
        let text = Base64.standard.encode(bytes)
        return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }
}

/// A mail's subject: one line of text, from 1 to 200 bytes.
package struct MailSubject: Sendable, Equatable {
    package let text: String

    /// Nil for text that is empty, too long, or would end its line.
    package init?(_ text: String) {
        guard (1...200).contains(text.utf8.count), HeaderText.isSafe(text) else { return nil }
        self.text = text
    }

    /// As it stands in the header: as it is where that is short and plain, else in encoded words.
    var field: String {
        let isPlain = text.utf8.count <= 65 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !text.contains("=?")
        return isPlain ? text : HeaderText.encodedWords(text)
    }
}
