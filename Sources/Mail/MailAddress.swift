/// An address that mail can be sent to or from, without a display name: `local@domain` of RFC 5321 with the local part as words
/// between dots (RFC 5322, dot-atom), and characters beyond ASCII as RFC 6531 allows them.
///
/// What the type holds can stand in a header line and in an SMTP command as it is: no space, no control character, no bracket, no
/// comma, no quote. Quoted local parts and address literals are refused: nobody has them, and they are how headers get forged.
package struct MailAddress: Sendable, Hashable, CustomStringConvertible {
    package let description: String
    /// Where the domain begins, in UTF-8 bytes.
    private let domainStart: Int

    /// RFC 5321, section 4.5.3.1.
    private static let longest = (whole: 254, local: 64)

    /// Nil for what is no such address.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.longest.whole, let at = bytes.firstIndex(of: UInt8(ascii: "@")), at <= Self.longest.local,
            Self.isWords(bytes[..<at], of: Self.isAtomByte), Self.isWords(bytes[(at + 1)...], of: Self.isDomainByte),
            // Beyond ASCII only what is neither space nor control: a line end has many spellings in Unicode.
            text.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && !Self.isInvisible($0) })
        else { return nil }
        description = text
        domainStart = at + 1
    }

    /// What stands behind the `@`.
    var domain: String { String(decoding: description.utf8.dropFirst(domainStart), as: UTF8.self) }

    private static func isWords(_ bytes: ArraySlice<UInt8>, of isAllowed: (UInt8) -> Bool) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy {
                !$0.isEmpty && $0.allSatisfy(isAllowed) && ($0.first != UInt8(ascii: "-") || isAllowed(UInt8(ascii: "+")))
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: byte >= 0x80
        }
    }

    private static func isAtomByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte) }

    private static func isDomainByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || byte == UInt8(ascii: "-") }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}

/// Who a mail is from: an address, with a name in front where there is one.
package struct Mailbox: Sendable, Equatable {
    package let name: String?
    package let address: MailAddress

    /// Reads `address` or `Name <address>`; nil for anything else, and for names with control characters or of more than 100 bytes.
    package init?(_ text: String) {
        guard text.last == ">", let bracket = text.firstIndex(of: "<") else {
            guard let address = MailAddress(text) else { return nil }
            self.init(name: nil, address: address)
            return
        }
        guard let address = MailAddress(String(text[text.index(after: bracket)...].dropLast())) else { return nil }
        var name = text[..<bracket]
        while name.last == " " { name.removeLast() }
        if name.count >= 2, name.first == "\"", name.last == "\"" { name = name.dropFirst().dropLast() }
        guard name.utf8.count <= 100, HeaderText.isSafe(String(name)) else { return nil }
        self.init(name: name.isEmpty ? nil : String(name), address: address)
    }

    private init(name: String?, address: MailAddress) {
        self.name = name
        self.address = address
    }

    /// As it stands in a header line (RFC 5322, 3.4). A name is always encoded: no character of it needs a rule then.
    var field: String {
        guard let name else { return description(of: address) }
        return "\(HeaderText.encodedWords(name)) <\(address)>"
    }

    private func description(of address: MailAddress) -> String { address.description }
}
