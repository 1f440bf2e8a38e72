import PlaygroundCore
import RateLimit
import Streaming

/// The id of a completion, and whether it was made here just now: then nothing can have had it before.
struct CompletionName {
    let id: CompletionID
    let isNew: Bool
}

/// A completion as it will be asked for: the client's request under the server's models, without its texts, and the relay that runs it.
final class CompletionAsk {
    let relay: CompletionRelay
    let hasNewID: Bool
    let model: String
    let presetID: PresetID?
    let isStream: Bool
    let promptEstimate: Int
    /// The `max_tokens` of the request; nil for none.
    let wantedTokens: Int?
    /// The one that applies, once the plan has decided.
    private(set) var maxTokens = 0
    /// What the limits have admitted.
    private(set) var attempt: UUIDBytes?
    /// Whether its slot may be waited for.
    private(set) var isShortOfSlots = false

    init(_ request: CompletionRequest, _ name: CompletionName, model: String, relay: CompletionRelay) {
        self.relay = relay
        hasNewID = name.isNew
        self.model = model
        presetID = request.presetID
        isStream = request.stream
        promptEstimate = request.estimatedPromptTokens
        wantedTokens = request.parameters.maxTokens
    }

    /// The plan has admitted it.
    func admitted(_ grant: Grant) {
        maxTokens = grant.maxTokens
        attempt = grant.attempt
        isShortOfSlots = grant.isShortOfSlots
        relay.grant(maxTokens: grant.maxTokens, upstream: grant.upstream)
    }
}
