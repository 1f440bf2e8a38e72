import PlaygroundCore
import Streaming
import StrictJSON

/// The parameters that one model takes, with their ranges, as a frontend draws them.
struct ModelKnobs {
    /// `chat` where nothing but chat upstreams has the model.
    let kind: UpstreamKind
    private let isTaken: (String) -> Bool

    /// - Parameter upstreams: all of them; a parameter is a knob where one that has the model takes it.
    init(of model: String, from upstreams: [UpstreamDescription]) {
        let having = upstreams.filter { $0.has(model: model) }
        kind = having.allSatisfy { $0.kind == .chat } ? .chat : .completion
        isTaken = { name in having.contains { !$0.refusedParameters.contains(name) && !$0.kind.inexpressible.contains(name) } }
    }

    /// Writes the knobs as members of the object that is open.
    /// - Parameters:
    ///   - maxTokens: what the caller's plan gives.
    ///   - maxTokensDefault: what applies where a request names none.
    func write(to writer: inout JSONWriter, maxTokens: ClosedRange<Int64>, maxTokensDefault: Int64?) {
        typealias Limits = CompletionParameters.Limits
        number("temperature", Limits.temperature, &writer)
        number("top_p", Limits.topP, &writer)
        number("frequency_penalty", Limits.penalty, &writer)
        number("presence_penalty", Limits.penalty, &writer)
        writer.member("max_tokens") { writer in
            writer.object { writer in
                writer.member("type", "integer")
                writer.member("minimum", maxTokens.lowerBound)
                writer.member("maximum", maxTokens.upperBound)
                writer.member("default", maxTokensDefault)
            }
        }
        knob("stop", "array", &writer) { $0.member("max_items", Limits.stops) }
        knob("seed", "integer", &writer) { _ in }
        knob("logit_bias", "object", &writer) { writer in
            writer.member("minimum", Limits.logitBias.lowerBound)
            writer.member("maximum", Limits.logitBias.upperBound)
            writer.member("max_items", Limits.logitBiases)
        }
        knob("logprobs", "integer", &writer) { writer in
            writer.member("minimum", Limits.logprobs.lowerBound)
            writer.member("maximum", Limits.logprobs.upperBound)
        }
        knob("suffix", "string", &writer) { $0.member("max_bytes", Limits.promptBytes) }
    }

    private func number(_ name: String, _ range: ClosedRange<Double>, _ writer: inout JSONWriter) {
        knob(name, "number", &writer) { writer in
            writer.member("minimum", range.lowerBound)
            writer.member("maximum", range.upperBound)
        }
    }

    private func knob(_ name: String, _ type: String, _ writer: inout JSONWriter, _ bounds: (inout JSONWriter) -> Void) {
        guard isTaken(name) else { return }
        writer.member(named: name) { writer in
            writer.object { writer in
                writer.member("type", type)
                bounds(&writer)
            }
        }
    }
}

extension UpstreamKind {
    /// Parameters for which its dialect has no words.
    fileprivate var inexpressible: Set<String> {
        switch self {
        case .completion: []
        case .chat: ["suffix"]
        }
    }
}
