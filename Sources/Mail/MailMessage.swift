import HTTPCore
package import PlaygroundCore

/// A mail of plain text to one person, as RFC 5322 and MIME (RFC 2045) write it.
package struct MailMessage: Sendable {
    package let from: Mailbox
    package let to: MailAddress
    package let subject: MailSubject
    /// Lines end with \n.
    package let body: String
    /// Goes into Message-ID: the same mail sent twice is seen to be one.
    package let id: UUIDBytes
    package let date: Timestamp

    package init(
        from: Mailbox, to: MailAddress, subject: MailSubject, body: String, id: UUIDBytes, date: Timestamp
    ) {
        self.from = from
        self.to = to
        self.subject = subject
        self.body = body
        self.id = id
        self.date = date
    }

    /// The bytes that go behind DATA, lines ended by CRLF; dots are the transport's business.
    package var bytes: [UInt8] {
        let lines = body.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map { Array($0.utf8) }
        // Plain text goes as it is, so that a link is a link for whatever reads it. 998 is SMTP's bound on a line.
        let isPlain = lines.allSatisfy { $0.count <= 998 && $0.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x09 } }
        let fields = [
            "Date: \(date.mailDate)", "From: \(from.field)", "To: \(to)", "Subject: \(subject.field)",
            "Message-ID: <\(id)@\(from.address.domain)>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: \(isPlain ? "7bit" : "quoted-printable")",
            // No vacation notice in answer (RFC 3834).
            "Auto-Submitted: auto-generated",
        ]
        var bytes = Array((fields.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        for line in lines {
            bytes += isPlain ? line : Self.quotedPrintable(line)
            bytes += [0x0D, 0x0A]
        }
        return bytes
    }

    /// RFC 2045, 6.7: lines of 76 characters at most, soft line breaks in between.
    private static func quotedPrintable(_ line: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var column = 0
        for (index, byte) in line.enumerated() {
            let isLast = index == line.count - 1
            let isSpace = byte == 0x20 || byte == 0x09
            let isLiteral = isSpace ? !isLast : (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "=")
            let width = isLiteral ? 1 : 3
            if column + width > 75 {
                output += [UInt8(ascii: "="), 0x0D, 0x0A]
                column = 0
            }
            if isLiteral {
                output.append(byte)
            } else {
                output += [UInt8(ascii: "="), hexadecimal(byte >> 4), hexadecimal(byte & 15)]
            }
            column += width
        }
        return output
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x41 + digit - 10 }
}

extension Timestamp {
    /// `Mon, 23 Nov 2026 08:49:37 +0000`, as RFC 5322, 3.3 has it: HTTP's date but for the zone, which is obsolete as a name.
    var mailDate: String { HTTPDate(unixSeconds: microseconds / 1_000_000).string.dropLast(3) + "+0000" }
}
