import StrictJSON

/// What one event of the upstream's stream says, in either dialect, as places in its bytes: nothing of it is decoded or copied,
/// and to hand it on takes a copy of some bytes.
struct UpstreamEvent {
    /// The inside of the JSON string that is the first choice's text; nil where the event has no such choice or the text is null.
    var text: Range<Int>?
    /// The inside of what a chat model thinks aloud; never empty. It is no part of the completion, but was generated.
    var reasoning: Range<Int>?
    /// The inside of the first choice's `finish_reason`; nil while the completion goes on.
    var finishReason: Range<Int>?
    /// The first choice's `logprobs`, a JSON value; nil where it is null, or not wanted.
    var logprobs: Range<Int>?
    /// The tokens used so far, where the upstream tells and the numbers can be believed.
    var usage: UpstreamUsage?
    /// Where those numbers stand that change from event to event.
    var figures = UpstreamUsage.Figures()
    /// The inside of `obfuscation`: characters at random, so that an event's length does not tell the text's.
    var padding: Range<Int>?
    /// Whether it tells of an error, which is then read for what it says.
    var tellsOfError = false
    /// The inside of `model`, the name the upstream resolved it to.
    var model: Range<Int>?
}

/// Why an event is not what the contract says.
enum EventMisfit: Error {
    case json(JSONError)
    case shape(StaticString)

    /// For the log; it never repeats any of the event.
    var description: String {
        switch self {
        case .json(let error): error.description
        case .shape(let phrase): phrase.description
        }
    }
}
