import HTTPCore
import HTTPServer
import HTTPTypes

/// Which origins may use the API from a browser, and what they are told (the Fetch standard's CORS protocol).
struct CrossOrigin: Sendable {
    /// What `CORS_ORIGINS` allows.
    enum Policy: Sendable, Equatable {
        /// Any origin, never with cookies.
        case any
        case listed([Pattern])
    }

    /// One entry of the list.
    enum Pattern: Sendable, Equatable {
        /// Byte for byte, any scheme: `tauri://localhost`.
        case exact(String)
        /// `https://*.example.com`: any host below, at any depth, with this scheme and port.
        case subdomains(scheme: String, suffix: String)

        func matches(_ origin: String) -> Bool {
            switch self {
            case .exact(let text): return origin == text
            case .subdomains(let scheme, let suffix):
                guard origin.hasPrefix(scheme), origin.hasSuffix(suffix) else { return false }
                let label = origin.dropFirst(scheme.count).dropLast(suffix.count)
                return !label.isEmpty
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                            UInt8(ascii: "."):
                            true
                        default: false
                        }
                    }
            }
        }
    }

    /// Fields that a page may read, on errors too.
    static let exposed = [
        "X-Request-Id", "X-Completion-Id", "X-Max-Tokens-Applied", "Idempotency-Replayed", "ETag", "Location", "Link",
        "Retry-After", "retry-after-ms", "x-should-retry", "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
    ].joined(separator: ", ")

    let policy: Policy

    /// Whether a page of this origin may use the API with the user's cookies.
    func isListed(_ origin: String) -> Bool {
        guard case .listed(let patterns) = policy else { return false }
        return patterns.contains { $0.matches(origin) }
    }

    /// Puts the answer's CORS fields in place, before anything can fail.
    func apply(to request: Request) {
        if policy == .listed([]) { return }
        request.responseFields.append(.vary, "Origin")
        guard let origin = request.value(of: .origin) else { return }
        switch policy {
        case .any: request.responseFields.append(.accessControlAllowOrigin, "*")
        case .listed:
            guard isListed(origin) else { return }
            request.responseFields.append(.accessControlAllowOrigin, origin)
            request.responseFields.append(.accessControlAllowCredentials, "true")
        }
        request.responseFields.append(.accessControlExposeHeaders, Self.exposed)
    }

    /// The answer to OPTIONS: what the path allows, and to a preflight what its origin may do.
    func optionsResponse(to request: Request, allowed: [HTTPRequest.Method]) -> Response {
        let methods = allowed.map(\.rawValue).joined(separator: ", ")
        var fields = ResponseFields()
        fields[.allow] = methods
        let isAllowed = request.responseFields.contains(.accessControlAllowOrigin)
        if isAllowed, request.value(of: .accessControlRequestMethod) != nil {
            fields[.accessControlAllowMethods] = methods
            if let wanted = request.value(of: .accessControlRequestHeaders) { fields[.accessControlAllowHeaders] = wanted }
            fields[.accessControlMaxAge] = "7200"
        }
        return Response(status: .noContent, fields: fields)
    }
}

extension CrossOrigin.Policy {
    /// Reads `CORS_ORIGINS`: `*`, or origins separated by commas; nil where an entry is no origin.
    init?(_ text: String) {
        if text.trimmed == "*" {
            self = .any
            return
        }
        var patterns: [CrossOrigin.Pattern] = []
        for entry in text.split(separator: ",").map(\.trimmed) where !entry.isEmpty {
            guard let pattern = CrossOrigin.Pattern(entry) else { return nil }
            patterns.append(pattern)
        }
        self = .listed(patterns)
    }
}

extension CrossOrigin.Pattern {
    /// `scheme://host[:port]` without a path, or `scheme://*.host[:port]`.
    init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.upperBound]
        let host = text[separator.upperBound...]
        guard separator.lowerBound > text.startIndex, !host.isEmpty, !host.contains("/"), !host.contains(" ") else { return nil }
        if host.hasPrefix("*.") {
            guard host.count > 2, !host.dropFirst().contains("*") else { return nil }
            self = .subdomains(scheme: String(scheme).lowercased(), suffix: String(host.dropFirst()).lowercased())
        } else {
            if host.contains("*") { return nil }
            self = .exact(text)
        }
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(self[first...last])
    }
}
