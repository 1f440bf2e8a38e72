/// What one event of the upstream's stream says, as places in its bytes: nothing of it is decoded or copied.
struct UpstreamEvent {
    /// The inside of the JSON string `choices[0].text`, escapes and all; nil where the event has no such choice or the
    /// text is null.
    var text: Range<Int>?
    /// The inside of `choices[0].finish_reason`; nil while the completion goes on.
    var finishReason: Range<Int>?
    /// The tokens used so far, where the upstream tells and the numbers can be believed.
    var usage: UpstreamUsage?
    /// What the upstream says about an error; nil unless it tells of one.
    var error: UpstreamErrorReport?
    /// The inside of `model`, the name the upstream resolved it to.
    var model: Range<Int>?
}
