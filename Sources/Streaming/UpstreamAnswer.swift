import HTTPCore

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
    ///   - retryAfter: the value of Retry-After: seconds, decimals allowed, or a date (RFC 9110 10.2.3).
    ///   - retryAfterMilliseconds: the value of `retry-after-ms`, which is finer and goes first.
    ///   - unixSeconds: what time it is, for a date; looked at only for one.
    package init(
        status: Int, contentType: String?, retryAfter: String? = nil, retryAfterMilliseconds: String? = nil,
        unixSeconds: @autoclosure () -> Int64
    ) {
        self.status = status
        isEventStream = contentType.map(Self.namesEventStream) ?? false
        let wait = Self.milliseconds(retryAfterMilliseconds, each: 1) ?? Self.milliseconds(retryAfter, each: 1000)
        if let wait {
            self.retryAfter = wait
        } else if let date = retryAfter.flatMap(HTTPDate.unixSeconds) {
            self.retryAfter = min(max(.zero, .seconds(date - unixSeconds())), Self.longestWait)
        } else {
            self.retryAfter = nil
        }
    }

    private static let eventStream = Array("text/event-stream".utf8)

    /// Whether the media type, letters of either case and perhaps with parameters, is that of events. Read as bytes where they lie: as
    /// characters it cost 10,000 instructions, as lazy collections 3,400.
    private static func namesEventStream(_ contentType: String) -> Bool {
        var contentType = contentType
        return contentType.withUTF8 { text in
            let start = text.firstIndex { $0 != UInt8(ascii: " ") } ?? 0
            guard text.count - start >= eventStream.count else { return false }
            for (index, wanted) in eventStream.enumerated() {
                let byte = text[start + index]
                guard byte == wanted || (byte &- UInt8(ascii: "A") < 26 && byte | 0x20 == wanted) else { return false }
            }
            for byte in text[(start + eventStream.count)...] where byte != UInt8(ascii: " ") { return byte == UInt8(ascii: ";") }
            return true
        }
    }

    /// A number written in digits, with or without a point among them, as so many units; rounded up, and cut to the longest wait.
    private static func milliseconds(_ text: String?, each unit: Double) -> Duration? {
        guard let text, let first = text.utf8.first, let last = text.utf8.last, first != point, last != point,
            text.utf8.allSatisfy({ $0 == point || $0 &- UInt8(ascii: "0") < 10 }), let number = Double(text)
        else { return nil }
        let limit = Double(longestWait.components.seconds * 1000)
        return .milliseconds(Int64(min(number * unit, limit).rounded(.up)))
    }

    private static let point = UInt8(ascii: ".")
}
