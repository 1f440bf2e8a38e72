package import PlaygroundCore
import StrictJSON

/// What the upstream is asked for: always one stream of one choice. A reference, as what it is made of is.
package final class UpstreamRequest: Sendable {
    private let asked: CompletionRequest
    /// The one that applies, whatever was asked for.
    private let model: String
    /// Stands for the user, and tells nothing about them: an opaque hash.
    private let user: String

    /// - Parameters:
    ///   - asked: sent as it is, but for its model and `max_tokens`. It has its prompt.
    ///   - model: the one that applies.
    ///   - user: an opaque hash.
    package init(_ asked: CompletionRequest, model: String, user: String) {
        self.asked = asked
        self.model = model
        self.user = user
    }

    /// Whether the client gets log probabilities.
    var wantsLogprobs: Bool { asked.parameters.logprobs != nil }

    /// What the prompt is taken to cost until the upstream has counted.
    var promptEstimate: Int { asked.estimatedPromptTokens }

    /// Whether `upstream` has the model that applies.
    func isServed(by upstream: UpstreamDescription) -> Bool { upstream.has(model: model) }

    /// The first field that `upstream` cannot be asked for; nil where it can be asked for all of this request.
    package func refusal(by upstream: UpstreamDescription) -> FieldError? {
        if upstream.kind == .chat, Knob.suffix.isMeant(by: asked.parameters) {
            return FieldError(
                "suffix", .unsupportedParameter, "suffix cannot be used with this model, which answers and does not insert")
        }
        // As most are.
        if upstream.refusedParameters.isEmpty { return nil }
        let refused = Knob.allCases.first {
            upstream.refusedParameters.contains($0.rawValue) && $0.isMeant(by: asked.parameters)
        }
        return refused.map { knob in
            let usual = knob.usualValue.map { ", except for its usual value \($0)" } ?? ""
            return FieldError(knob.rawValue, .unsupportedParameter, "\(knob.rawValue) cannot be used with this model\(usual)")
        }
    }

    /// The body that asks `upstream`, in its dialect. What it refuses is left out: ``refusal(by:)`` comes first.
    /// - Parameter maxTokens: the `max_tokens` that apply.
    package func encoded(for upstream: UpstreamDescription, maxTokens: Int) -> [UInt8] {
        let prompt = asked.prompt ?? ""
        var writer = JSONWriter(capacity: prompt.utf8.count + 512)
        writer.object { writer in
            switch upstream.kind {
            case .completion: writeCompletion(of: prompt, maxTokens, except: upstream.refusedParameters, to: &writer)
            case .chat: writeChat(about: prompt, maxTokens, except: upstream.refusedParameters, to: &writer)
            }
            writer.member("stream", true)
            if upstream.tellsUsage {
                writer.member("stream_options") { writer in
                    writer.object { writer in
                        writer.member("include_usage", true)
                        writer.member("continuous_usage_stats", upstream.tellsUsageContinuously ? true : nil)
                    }
                }
            }
            if !upstream.refusedParameters.contains("user") { writer.member("user", user) }
        }
        return writer.bytes
    }

    private func writeCompletion(
        of prompt: String, _ maxTokens: Int, except refused: Set<String>, to writer: inout JSONWriter
    ) {
        writer.member("prompt", prompt)
        writer.member("model", model)
        writer.member("max_tokens", maxTokens)
        asked.parameters.writeSampling(to: &writer, except: refused)
        if !refused.contains("logprobs") { writer.member("logprobs", asked.parameters.logprobs) }
        if !refused.contains("suffix") { writer.member("suffix", asked.parameters.suffix) }
    }

    private func writeChat(
        about prompt: String, _ maxTokens: Int, except refused: Set<String>, to writer: inout JSONWriter
    ) {
        writer.member("messages") { writer in
            writer.array { writer in
                writer.object { writer in
                    writer.member("role", "user")
                    writer.member("content", prompt)
                }
            }
        }
        writer.member("model", model)
        asked.parameters.writeSampling(to: &writer, except: refused)
        // Reasoning models take the new name of `max_tokens` alone, some older servers the old one.
        let newName: StaticString = "max_completion_tokens"
        writer.member(refused.contains("max_completion_tokens") ? "max_tokens" : newName, maxTokens)
        if let count = asked.parameters.logprobs, !refused.contains("logprobs") {
            writer.member("logprobs", true)
            writer.member("top_logprobs", count)
        }
    }
}

/// A parameter that an upstream may refuse, by its name on our wire.
private enum Knob: String, CaseIterable {
    case temperature
    case topP = "top_p"
    case stop
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
    case seed
    case logitBias = "logit_bias"
    case logprobs
    case suffix

    /// The value that a model uses where none is sent.
    var usualValue: Int? {
        switch self {
        case .temperature, .topP: 1
        case .frequencyPenalty, .presencePenalty: 0
        case .stop, .seed, .logitBias, .logprobs, .suffix: nil
        }
    }

    /// Whether leaving it out would change what the request means.
    func isMeant(by parameters: CompletionParameters) -> Bool {
        switch self {
        case .temperature: isUnusual(parameters.temperature)
        case .topP: isUnusual(parameters.topP)
        case .stop: !parameters.stop.isEmpty
        case .frequencyPenalty: isUnusual(parameters.frequencyPenalty)
        case .presencePenalty: isUnusual(parameters.presencePenalty)
        case .seed: parameters.seed != nil
        case .logitBias: parameters.logitBias != nil
        case .logprobs: parameters.logprobs != nil
        case .suffix: parameters.suffix.map { !$0.isEmpty } ?? false
        }
    }

    private func isUnusual(_ number: JSONNumber?) -> Bool {
        guard let number else { return false }
        return number.double != usualValue.map(Double.init)
    }
}
