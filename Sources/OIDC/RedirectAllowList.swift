import PlaygroundCore

/// The addresses of frontends that a log-in may end at: those the operator listed, and no others.
package struct RedirectAllowList: Sendable, Equatable {
    static let maximumLength = 2048
    private static let maximumEntries = 100
    /// Schemes that would have a browser run or show what the address holds.
    private static let forbiddenSchemes: Set = [
        "javascript", "data", "vbscript", "blob", "about", "file", "filesystem", "view-source",
    ]

    /// One listed address.
    private struct Entry: Sendable, Equatable {
        let text: String
        /// Of a loopback address, what stands before the port and behind it: apps listen on any (RFC 8252, 7.3).
        let aroundPort: [String]?
    }

    private let entries: [Entry]

    /// Nobody may.
    package init() { entries = [] }

    /// Reads addresses separated by commas or white space; nil where one cannot be listed: https, http on loopback addresses and
    /// `localhost`, and schemes of apps, without a fragment.
    package init?(parsing text: String) {
        let addresses = text.split { $0 == "," || $0.isWhitespace }.map(String.init)
        guard addresses.count <= Self.maximumEntries else { return nil }
        var entries: [Entry] = []
        for address in addresses {
            guard Self.isAddress(address), let entry = Self.entry(address) else { return nil }
            entries.append(entry)
        }
        self.entries = entries
    }

    /// Whether nothing is listed.
    package var isEmpty: Bool { entries.isEmpty }

    /// Whether the address is listed, byte for byte; of a loopback address the port may be any.
    package func permits(_ address: String) -> Bool {
        guard Self.isAddress(address) else { return false }
        let around = Self.loopbackParts(address)
        return entries.contains { entry in
            if let around, let listed = entry.aroundPort { return around.elementsEqual(listed) { $0.hasBytes(of: $1) } }
            return entry.text.hasBytes(of: address)
        }
    }

    /// An address with further items in its query.
    package static func adding(_ items: [(name: String, value: String)], to address: String) -> String {
        address + (address.contains("?") ? "&" : "?") + FormFields.encoded(items)
    }

    private static func isAddress(_ text: String) -> Bool {
        text.utf8.count <= maximumLength
            && text.utf8.allSatisfy { (0x21..<0x7F).contains($0) && !"\"#<>\\^`{|}".utf8.contains($0) }
    }

    private static func entry(_ address: String) -> Entry? {
        guard let colon = address.firstIndex(of: ":") else { return nil }
        let scheme = address[..<colon].lowercased()
        let isScheme = scheme.utf8.allSatisfy { byte in
            byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 26 || "+-.".utf8.contains(byte)
        }
        guard let initial = scheme.utf8.first, initial &- UInt8(ascii: "a") < 26, isScheme,
            !forbiddenSchemes.contains(scheme), address.index(after: colon) < address.endIndex
        else { return nil }
        let around = loopbackParts(address)
        if scheme == "https" {
            guard (try? EndpointURL(address, allowsPlainLoopback: false)) != nil else { return nil }
        } else if scheme == "http", around == nil {
            return nil
        }
        return Entry(text: address, aroundPort: around)
    }

    /// `http://127.0.0.1:8000/a` as `http://127.0.0.1` and `/a`; nil for any other kind of address.
    private static func loopbackParts(_ address: String) -> [String]? {
        for host in ["http://127.0.0.1", "http://[::1]", "http://localhost"] where address.hasPrefix(host) {
            var rest = address.dropFirst(host.count)
            if rest.first == ":" {
                let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
                guard let port = UInt16(digits), port > 0 else { return nil }
                rest = rest.dropFirst(1 + digits.count)
            }
            guard rest.isEmpty || rest.first == "/" || rest.first == "?" else { return nil }
            return [host, String(rest)]
        }
        return nil
    }
}
