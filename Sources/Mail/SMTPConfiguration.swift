import Glibc
package import PlaygroundCore

/// Where mail is handed in, and how.
package struct SMTPConfiguration: Sendable {
    /// Whether the connection has to be private.
    package enum Privacy: Sendable {
        /// TLS from the start or by STARTTLS, with a certificate for the server's name; without it nothing is sent.
        case required
        /// STARTTLS where the server offers it, whatever its certificate says: for a server on this machine or next to it.
        case optional
    }

    package let server: SMTPServer
    package var privacy: Privacy
    /// PEM file of the authorities that the server's certificate is checked by; nil for those of the system.
    package var authorities: String?
    package var username: String?
    package var password: Secret?
    /// From the first packet to the greeting, and for each answer of the server after that. Whole seconds, as the next.
    package var stepTimeout = Duration.seconds(10)
    /// For one mail.
    package var timeout = Duration.seconds(30)

    /// TLS is required but for a server on loopback.
    package init(server: SMTPServer) {
        self.server = server
        privacy = server.isLoopback ? .optional : .required
    }
}

/// The address of a mail server: `smtp://host[:port]` (port 587), or `smtps://host[:port]` (port 465, TLS from the start). A path names
/// this client in its greeting, where the machine's own name will not do.
package struct SMTPServer: Sendable, Equatable {
    /// Passed to libcurl as it is.
    let url: String
    let isImplicitTLS: Bool
    /// Whether mails do not leave this machine.
    package let isLoopback: Bool

    /// Nil for anything but such an address: user names and passwords have variables of their own.
    package init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        switch text[..<separator.lowerBound].lowercased() {
        case "smtp": isImplicitTLS = false
        case "smtps": isImplicitTLS = true
        default: return nil
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        let client = rest.dropFirst(authority.count + 1)
        guard let (host, port) = Self.hostAndPort(authority), client.utf8.allSatisfy(Self.isNameByte) else { return nil }
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host)
        isLoopback = name.lowercased() == "localhost" || Self.isLoopbackAddress(name)
        url =
            "\(isImplicitTLS ? "smtps" : "smtp")://\(host):\(port ?? (isImplicitTLS ? 465 : 587))"
            + (client.isEmpty ? "" : "/\(client)")
    }

    private static func hostAndPort(_ authority: Substring) -> (Substring, UInt16?)? {
        var (host, port) = (authority, Substring())
        if authority.hasPrefix("["), let bracket = authority.firstIndex(of: "]") {
            host = authority[...bracket]
            port = authority[authority.index(after: bracket)...]
            guard IPAddress(String(host.dropFirst().dropLast()))?.isIPv4 == false else { return nil }
        } else {
            if let colon = authority.firstIndex(of: ":") { (host, port) = (authority[..<colon], authority[colon...]) }
            guard !host.isEmpty, host.utf8.allSatisfy(isNameByte) else { return nil }
        }
        if port.isEmpty { return (host, nil) }
        guard port.first == ":", let number = UInt16(port.dropFirst()), number > 0 else { return nil }
        return (host, number)
    }

    private static func isLoopbackAddress(_ text: String) -> Bool {
        guard let address = IPAddress(text)?.unmapped else { return false }
        return address.isIPv4 ? address.bytes[0] == 127 : address == IPAddress("::1")
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
