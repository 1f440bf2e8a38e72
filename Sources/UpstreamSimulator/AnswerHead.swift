import EventLoop
import HTTPCore

/// The heads of answers, with the fields that were recorded.
struct AnswerHead {
    let requestID: String
    /// The model as resolved; nil where an answer does not name one.
    var model: String?
    var processingMilliseconds = 0
    /// Tokens charged; nil for answers that carry no rate fields.
    var chargedTokens: Int?

    private static let tokenLimit = 250_000
    private static let requestLimit = 3_000

    /// Appends a head.
    /// - Parameters:
    ///   - length: of the body; nil for the chunked coding.
    ///   - closes: the connection ends after the body; with `length` nil and `isChunked` false its end is the body's.
    func append(
        to bytes: inout [UInt8], status: Int, contentType: String, length: Int?, isChunked: Bool = false, closes: Bool = false,
        extra: [(String, String)] = []
    ) {
        var text = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
        text += "date: \(HTTPDate(unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000).string)\r\n"
        text += "content-type: \(contentType)\r\n"
        if let length { text += "content-length: \(length)\r\n" }
        if isChunked { text += "transfer-encoding: chunked\r\n" }
        text += closes ? "connection: close\r\n" : "connection: keep-alive\r\n"
        if let model {
            text += """
                access-control-allow-origin: *\r
                access-control-expose-headers: X-Request-ID\r
                cache-control: no-cache, must-revalidate\r
                openai-model: \(model)\r\n
                """
        }
        if let chargedTokens {
            // The time until the bucket is full again, cut to milliseconds.
            let reset = chargedTokens * 60_000 / Self.tokenLimit
            text += """
                openai-processing-ms: \(processingMilliseconds)\r
                openai-project: proj_simulated\r
                openai-version: 2020-10-01\r
                x-ratelimit-limit-requests: \(Self.requestLimit)\r
                x-ratelimit-limit-tokens: \(Self.tokenLimit)\r
                x-ratelimit-remaining-requests: \(Self.requestLimit - 1)\r
                x-ratelimit-remaining-tokens: \(max(0, Self.tokenLimit - chargedTokens))\r
                x-ratelimit-reset-requests: \(60_000 / Self.requestLimit)ms\r
                x-ratelimit-reset-tokens: \(Self.duration(milliseconds: reset))\r\n
                """
        }
        for (name, value) in extra { text += "\(name): \(value)\r\n" }
        text += "x-request-id: \(requestID)\r\n\r\n"
        bytes.append(contentsOf: text.utf8)
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Simulated"
        }
    }

    /// As Go prints a duration: `0s`, `5ms`, `1.2s`, `6m0s`.
    static func duration(milliseconds: Int) -> String {
        if milliseconds == 0 { return "0s" }
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1000)
        var text = "\(seconds)"
        if fraction > 0 {
            var digits = String(fraction + 1000).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            text += ".\(digits)"
        }
        return minutes > 0 ? "\(minutes)m\(text)s" : "\(text)s"
    }
}
