package import PlaygroundCore
import StrictJSON

/// What the upstream is asked for: always one stream of one choice, whose usage it shall tell.
package struct UpstreamRequest: Sendable {
    /// Sent as it is.
    package let prompt: String
    /// With the model and the `max_tokens` that apply.
    package let parameters: CompletionParameters
    /// The one that applies, whatever was asked for.
    package let maxTokens: Int
    /// Stands for the user, and tells nothing about them: an opaque hash.
    package let user: String
    /// What the prompt is taken to cost until the upstream has counted.
    package let promptEstimate: Int

    package init(
        model: String, prompt: String, parameters: CompletionParameters, maxTokens: Int, user: String, promptEstimate: Int
    ) {
        var applied = parameters
        applied.model = model
        applied.maxTokens = maxTokens
        // A stream's frames have no place for them.
        applied.logprobs = nil
        self.prompt = prompt
        self.parameters = applied
        self.maxTokens = maxTokens
        self.user = user
        self.promptEstimate = promptEstimate
    }

    /// The field that keeps `upstream` from being asked this; nil where it can be.
    package func refusal(by upstream: UpstreamDescription) -> FieldError? { nil }

    /// The body that asks `upstream`, in its dialect.
    package func encoded(for upstream: UpstreamDescription) -> [UInt8] {
        var writer = JSONWriter(capacity: prompt.utf8.count + 512)
        writer.object { writer in
            writer.member("prompt", prompt)
            parameters.writeMembers(to: &writer)
            writer.member("stream", true)
            writer.member("stream_options") { $0.object { $0.member("include_usage", true) } }
            writer.member("user", user)
        }
        return writer.bytes
    }
}
