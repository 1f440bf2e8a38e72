/// What a relay needs of the head of the upstream's answer.
package struct UpstreamAnswer: Sendable, Equatable {
    /// The longest wait that is passed on; a longer one is cut to it.
    package static let longestWait = Duration.seconds(3600)

    package let status: Int
    /// Whether the body is a stream of events.
    package let isEventStream: Bool
    /// How long the upstream asks to wait.
    package let retryAfter: Duration?

    /// - Parameters:
    ///   - contentType: the value of Content-Type.
    ///   - retryAfter: the value of Retry-After; seconds are understood, a date is not.
    ///   - retryAfterMilliseconds: the value of `retry-after-ms`, which is finer and goes first.
    package init(status: Int, contentType: String?, retryAfter: String? = nil, retryAfterMilliseconds: String? = nil) {
        self.status = status
        isEventStream = contentType.map(Self.namesEventStream) ?? false
        let wait = Self.digits(retryAfterMilliseconds).map { Duration.milliseconds($0) }
        self.retryAfter = (wait ?? Self.digits(retryAfter).map { .seconds($0) }).map { min($0, Self.longestWait) }
    }

    /// Whether the media type, letters of either case, is that of events. Read as bytes: as characters it cost 10,000 instructions.
    private static func namesEventStream(_ contentType: String) -> Bool {
        if contentType == "text/event-stream" { return true }
        let wanted = "text/event-stream".utf8
        let named = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }.drop { $0 == UInt8(ascii: " ") }
        return named.prefix(wanted.count).elementsEqual(wanted) { $0 == $1 || ($0 &- UInt8(ascii: "A") < 26 && $0 | 0x20 == $1) }
            && named.dropFirst(wanted.count).allSatisfy { $0 == UInt8(ascii: " ") }
    }

    /// A number written in digits; one that does not fit is as good as the largest.
    private static func digits(_ text: String?) -> Int64? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return min(Int64(text) ?? .max, 1 << 40)
    }
}
