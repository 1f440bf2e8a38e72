/// What a user may still spend, as the `x-ratelimit-*` fields of an answer say it.
package struct BucketSnapshot: Sendable, Equatable {
    /// Requests a minute.
    package let limitRequests: Int
    /// Requests that may be made at once.
    package let remainingRequests: Int
    /// Until all requests of the limit are there again.
    package let resetRequests: Duration
    /// Tokens a minute.
    package let limitTokens: Int
    /// Tokens that may be spent at once.
    package let remainingTokens: Int
    /// Until all tokens of the limit are there again.
    package let resetTokens: Duration

    /// What the two buckets hold now.
    package init(requests: TokenBucket, tokens: TokenBucket) {
        limitRequests = Int(requests.perMinute)
        remainingRequests = requests.remaining
        resetRequests = requests.timeUntilFull
        limitTokens = Int(tokens.perMinute)
        remainingTokens = tokens.remaining
        resetTokens = tokens.timeUntilFull
    }
}
