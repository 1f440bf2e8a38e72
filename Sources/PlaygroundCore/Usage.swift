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
    package var cachedTokens = 0
    /// Those of the completion's that were thought and not said.
    package var reasoningTokens = 0
    /// Who counted.
    package var source: UsageSource
    /// The `max_tokens` the completion ran with.
    package var maxTokensApplied: Int

    package init(promptTokens: Int, completionTokens: Int, source: UsageSource, maxTokensApplied: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
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
        }
    }
}
