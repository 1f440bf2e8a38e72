package import PlaygroundCore
import StrictJSON

/// What the upstream is asked for: always one stream of one choice.
package struct UpstreamRequest: Sendable {
    /// Sent as it is.
    package let prompt: String
    /// With the model and the `max_tokens` that apply.
    package private(set) var parameters: CompletionParameters
    /// The one that applies, whatever was asked for.
    package private(set) var maxTokens: Int
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
        self.prompt = prompt
        self.parameters = applied
        self.maxTokens = maxTokens
        self.user = user
        self.promptEstimate = promptEstimate
    }

    /// The plan has decided what `max_tokens` applies.
    mutating func grant(maxTokens: Int) {
        self.maxTokens = maxTokens
        parameters.maxTokens = maxTokens
    }

    /// Whether the client gets log probabilities.
    package var wantsLogprobs: Bool { parameters.logprobs != nil }

    /// The first field that `upstream` cannot be asked for; nil where it can be asked for all of this request.
    package func refusal(by upstream: UpstreamDescription) -> FieldError? {
        if upstream.kind == .chat, Knob.suffix.isMeant(by: parameters) {
            return FieldError(
                "suffix", .unsupportedParameter, "suffix cannot be used with this model, which answers and does not insert")
        }
        let refused = Knob.allCases.first {
            upstream.refusedParameters.contains($0.rawValue) && $0.isMeant(by: parameters)
        }
        return refused.map { knob in
            let usual = knob.usualValue.map { ", except for its usual value \($0)" } ?? ""
            return FieldError(knob.rawValue, .unsupportedParameter, "\(knob.rawValue) cannot be used with this model\(usual)")
        }
    }

    /// The body that asks `upstream`, in its dialect. What it refuses is left out: ``refusal(by:)`` comes first.
    package func encoded(for upstream: UpstreamDescription) -> [UInt8] {
        var accepted = parameters
        for knob in Knob.allCases where upstream.refusedParameters.contains(knob.rawValue) { knob.remove(from: &accepted) }
        var writer = JSONWriter(capacity: prompt.utf8.count + 512)
        writer.object { writer in
            switch upstream.kind {
            case .completion:
                writer.member("prompt", prompt)
                accepted.writeMembers(to: &writer)
            case .chat: writeChat(accepted, limitedBy: Self.chatLimitName(upstream), to: &writer)
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

    private func writeChat(_ accepted: CompletionParameters, limitedBy limitName: String, to writer: inout JSONWriter) {
        writer.member("messages") { writer in
            writer.array { writer in
                writer.object { writer in
                    writer.member("role", "user")
                    writer.member("content", prompt)
                }
            }
        }
        var shared = accepted
        // These have another name or another form here.
        shared.maxTokens = nil
        shared.logprobs = nil
        shared.suffix = nil
        shared.writeMembers(to: &writer)
        writer.member(named: limitName, accepted.maxTokens)
        if let count = accepted.logprobs {
            writer.member("logprobs", true)
            writer.member("top_logprobs", count)
        }
    }

    /// What `max_tokens` is called: reasoning models take the new name alone, some older servers the old one.
    private static func chatLimitName(_ upstream: UpstreamDescription) -> String {
        let newName = "max_completion_tokens"
        return upstream.refusedParameters.contains(newName) ? "max_tokens" : newName
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

    func remove(from parameters: inout CompletionParameters) {
        switch self {
        case .temperature: parameters.temperature = nil
        case .topP: parameters.topP = nil
        case .stop: parameters.stop = []
        case .frequencyPenalty: parameters.frequencyPenalty = nil
        case .presencePenalty: parameters.presencePenalty = nil
        case .seed: parameters.seed = nil
        case .logitBias: parameters.logitBias = nil
        case .logprobs: parameters.logprobs = nil
        case .suffix: parameters.suffix = nil
        }
    }
}
