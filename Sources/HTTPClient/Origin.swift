/// A server that requests go to: scheme, host and port, and the path that every request's path is put behind.
package struct Origin: Sendable, Equatable {
    /// In the clear, or over TLS.
    package enum Scheme: String, Sendable { case http, https }

    package let scheme: Scheme
    /// A name or a numeric address, in lower case and without brackets.
    package let host: String
    /// The port named, or the scheme's own.
    package let port: UInt16
    /// Empty, or begins with `/` and does not end with one.
    package let pathPrefix: String

    /// Parses a base URL such as `https://api.openai.com/v1`. It has no user name, query or fragment, and is plain
    /// ASCII. (RFC 3986 section 3)
    /// - Throws: what is wrong with it, without quoting it: a URL may hold a password.
    package init(baseURL: String) throws(ClientConfigurationError) {
        let (scheme, rest) = try Self.splitScheme(baseURL)
        guard rest.utf8.allSatisfy(Self.isURLByte) else {
            throw ClientConfigurationError("contains a character that must not stand in a URL")
        }
        if rest.utf8.contains(UInt8(ascii: "?")) { throw ClientConfigurationError("must not have a query") }
        if rest.utf8.contains(UInt8(ascii: "#")) { throw ClientConfigurationError("must not have a fragment") }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        if authority.contains("@") { throw ClientConfigurationError("must not have a user name or password") }
        (host, port) = try Self.splitAuthority(authority, defaultPort: scheme == .http ? 80 : 443)
        self.scheme = scheme
        var path = rest[slash...]
        while path.last == "/" { path.removeLast() }
        pathPrefix = String(path)
    }

    /// The value of Host (RFC 9110 section 7.2): without the port where it is the scheme's own.
    package var authority: String {
        port == (scheme == .http ? 80 : 443) ? bracketedHost : "\(bracketedHost):\(port)"
    }

    /// Whether it can only be this machine: `localhost` and the loopback addresses.
    package var isLoopback: Bool { host == "localhost" || host == "::1" || (host.hasPrefix("127.") && isNumeric) }

    var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }

    private var isNumeric: Bool { host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || Self.isDigit($0) } }

    private static func splitScheme(_ url: String) throws(ClientConfigurationError) -> (Scheme, Substring) {
        let lowered = url.prefix(8).lowercased()
        if lowered.hasPrefix("https://") { return (.https, url.dropFirst(8)) }
        if lowered.hasPrefix("http://") { return (.http, url.dropFirst(7)) }
        throw ClientConfigurationError("must begin with http:// or https://")
    }

    private static func splitAuthority(
        _ authority: Substring, defaultPort: UInt16
    ) throws(ClientConfigurationError) -> (String, UInt16) {
        var host = authority
        var portText: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { throw ClientConfigurationError("has an unclosed [") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw ClientConfigurationError("has no valid host") }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            guard host.contains(":"), host.utf8.allSatisfy(isIPv6Byte) else {
                throw ClientConfigurationError("has no valid IPv6 address in its brackets")
            }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                host = authority[..<colon]
                portText = authority[authority.index(after: colon)...]
            }
            guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(isHostByte) else {
                throw ClientConfigurationError("has no valid host")
            }
        }
        guard let portText else { return (host.lowercased(), defaultPort) }
        guard portText.utf8.count <= 5, portText.utf8.allSatisfy(isDigit), let port = UInt16(portText), port > 0 else {
            throw ClientConfigurationError("has no valid port")
        }
        return (host.lowercased(), port)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }
    private static func isHostByte(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || "-._".utf8.contains(byte) }
    private static func isIPv6Byte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 6 || ":.".utf8.contains(byte)
    }
    /// RFC 3986 section 2: unreserved, reserved, and the percent sign.
    static func isURLByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || "-._~:/?#[]@!$&'()*+,;=%".utf8.contains(byte)
    }
}
