import HTTPCore
import HTTPTypes
import PlaygroundCore

extension HTTPField.Name {
    static let requestID = field("X-Request-Id")
    static let completionID = field("Completion-Id")
    static let answeredCompletionID = field("X-Completion-Id")
    static let idempotencyKey = field("Idempotency-Key")
    static let idempotencyReplayed = field("Idempotency-Replayed")
    static let maxTokensApplied = field("X-Max-Tokens-Applied")
    static let accelBuffering = field("X-Accel-Buffering")
    static let referrerPolicy = field("Referrer-Policy")
    static let forwardedFor = field("X-Forwarded-For")
    static let retryAfterMilliseconds = field("retry-after-ms")
    static let shouldRetry = field("x-should-retry")
    static let limitRequests = field("x-ratelimit-limit-requests")
    static let limitTokens = field("x-ratelimit-limit-tokens")
    static let remainingRequests = field("x-ratelimit-remaining-requests")
    static let remainingTokens = field("x-ratelimit-remaining-tokens")
    static let resetRequests = field("x-ratelimit-reset-requests")
    static let resetTokens = field("x-ratelimit-reset-tokens")

    private static func field(_ name: StaticString) -> HTTPField.Name {
        guard let name = HTTPField.Name("\(name)") else { preconditionFailure("\(name) is no field name") }
        return name
    }
}

extension ResponseFields {
    /// Adds a field whose value is an id.
    mutating func append(_ name: HTTPField.Name, _ id: UUIDBytes) {
        let text = id.text
        append(name, text.span)
    }
}
