package import StrictJSON

/// How the tokens of a completion are known.
package enum UsageSource: String, Sendable {
    /// The upstream said so.
    case exact
    /// The events that came were counted.
    case counted
    /// Nothing but the texts' lengths is known.
    case estimated
}

/// The tokens one completion used.
package struct Usage: Sendable, Equatable {
    package var promptTokens: Int
    package var completionTokens: Int
    /// Those of the prompt's that the upstream had cached.
    package var cachedTokens: Int
    /// Those of the completion's that were thought and not said.
    package var reasoningTokens: Int
    /// Who counted.
    package var source: UsageSource
    /// The `max_tokens` the completion ran with.
    package var maxTokensApplied: Int

    package init(
        promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0, reasoningTokens: Int = 0, source: UsageSource,
        maxTokensApplied: Int
    ) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
        self.reasoningTokens = reasoningTokens
        self.source = source
        self.maxTokensApplied = maxTokensApplied
    }

    /// What the bill says; saturates.
    package var totalTokens: Int {
        let (sum, overflow) = promptTokens.addingReportingOverflow(completionTokens)
        return overflow ? .max : sum
    }
}

extension Usage: JSONWritable {
    /// The public form, as it stands in answers and in the last event of a stream.
    package func write(to writer: inout JSONWriter) { write(to: &writer, knowsMaxTokens: true) }

    /// The same; without `max_tokens_applied` where that was not noted at the time.
    package func write(to writer: inout JSONWriter, knowsMaxTokens: Bool) {
        writer.object { writer in
            writer.member("prompt_tokens", promptTokens)
            writer.member("completion_tokens", completionTokens)
            writer.member("total_tokens", totalTokens)
            writer.member("source", source.rawValue)
            writer.member("max_tokens_applied", knowsMaxTokens ? maxTokensApplied : nil)
            writer.member("cached_tokens", cachedTokens > 0 ? cachedTokens : nil)
            writer.member("reasoning_tokens", reasoningTokens > 0 ? reasoningTokens : nil)
        }
    }
}
