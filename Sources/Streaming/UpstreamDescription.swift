/// The dialect an upstream speaks.
package enum UpstreamKind: String, Sendable, CaseIterable {
    /// `POST /completions`: a prompt in, texts out.
    case completion
    /// `POST /chat/completions`: the prompt goes as one message of the user, and the deltas of the answer come back as texts.
    case chat
}

/// One upstream as the operator describes it. Its address and its key are known to its transport alone.
package struct UpstreamDescription: Sendable, Equatable {
    /// For logs and metrics; no client ever sees it.
    package var name: String
    /// How it is talked to.
    package var kind: UpstreamKind
    /// The models it has; nil: whatever is asked for.
    package var models: Set<String>?
    /// Lower ones are asked first; among equals the order of the configuration decides.
    package var priority: Int
    /// Parameters that its models do not take, by their names on our wire. The value that such a parameter has anyway is left
    /// out, any other is refused by name.
    package var refusedParameters: Set<String>
    /// Whether it takes `stream_options.include_usage`.
    package var tellsUsage: Bool
    /// Whether it takes `stream_options.continuous_usage_stats`, and so tells the usage in every event.
    package var tellsUsageContinuously: Bool
    /// What it may be asked by all users together; nil for no limit. Kept by whoever admits completions.
    package var requestsPerMinute: Int?
    /// Likewise, in tokens of prompts and completions.
    package var tokensPerMinute: Int?
    /// From the request being sent to the first token, be it of a text or of a thought.
    package var firstTokenTimeout: Duration
    /// Between two events after that; comments do not count.
    package var silenceTimeout: Duration
    /// The whole completion, every attempt of it.
    package var totalTimeout: Duration

    package init(
        name: String = "default", kind: UpstreamKind = .completion, models: Set<String>? = nil, priority: Int = 0,
        refusedParameters: Set<String> = [], tellsUsage: Bool = true, tellsUsageContinuously: Bool = false,
        firstTokenTimeout: Duration = .seconds(60), silenceTimeout: Duration = .seconds(60),
        totalTimeout: Duration = .seconds(600)
    ) {
        self.name = name
        self.kind = kind
        self.models = models
        self.priority = priority
        self.refusedParameters = refusedParameters
        self.tellsUsage = tellsUsage
        self.tellsUsageContinuously = tellsUsageContinuously
        self.firstTokenTimeout = firstTokenTimeout
        self.silenceTimeout = silenceTimeout
        self.totalTimeout = totalTimeout
    }

    /// Whether an admission has to look at its limits.
    package var hasLimits: Bool { requestsPerMinute != nil || tokensPerMinute != nil }

    /// Whether it can be asked for this model.
    package func has(model: String) -> Bool { models?.contains(model) ?? true }
}
