/// What a user may spend under plan `default`, as the server's environment says it.
package struct Plan: Sendable, Equatable {
    /// Requests a minute; also how many may come at once.
    package var requestsPerMinute: Int
    /// Prompt and completion tokens a minute; also how many may be spent at once.
    package var tokensPerMinute: Int
    /// Completions that may run at the same time.
    package var concurrentStreams: Int
    /// The highest `max_tokens` a completion gets; more is lowered to it.
    package var maxTokensCap: Int
    /// The `max_tokens` of a request that names none.
    package var maxTokensDefault: Int

    package init(
        requestsPerMinute: Int = 60, tokensPerMinute: Int = 90_000, concurrentStreams: Int = 4, maxTokensCap: Int = 2_048,
        maxTokensDefault: Int = 256
    ) {
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.concurrentStreams = concurrentStreams
        self.maxTokensCap = maxTokensCap
        self.maxTokensDefault = maxTokensDefault
    }
}
