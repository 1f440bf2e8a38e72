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
        let mediaType = contentType?.prefix { $0 != ";" }.lowercased() ?? ""
        isEventStream = mediaType.split(separator: " ", maxSplits: 1) == ["text/event-stream"]
        let wait = Self.digits(retryAfterMilliseconds).map { Duration.milliseconds($0) }
        self.retryAfter = (wait ?? Self.digits(retryAfter).map { .seconds($0) }).map { min($0, Self.longestWait) }
    }

    /// A number written in digits; one that does not fit is as good as the largest.
    private static func digits(_ text: String?) -> Int64? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return min(Int64(text) ?? .max, 1 << 40)
    }
}
