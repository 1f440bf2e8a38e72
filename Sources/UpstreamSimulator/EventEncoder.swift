import StrictJSON

/// Writes the events of one streamed completion, with the members in the order in which they were recorded.
struct EventEncoder {
    /// `data: ` up to the opening quote of the text.
    private let prefix: [UInt8]
    /// Between the text and the end of an event that neither ends its choice nor carries figures, for each choice.
    private let plainTails: [[UInt8]]
    private let call: CompletionCall
    private let id: String
    private let created: Int64
    private let lineEnd: String
    private let hasUsage: Bool

    init(call: CompletionCall, directives: Directives, id: String, created: Int64) {
        self.call = call
        self.id = id
        self.created = created
        lineEnd = directives.isCRLF ? "\r\n" : "\n"
        hasUsage = call.includesUsage && directives.hasUsage
        prefix = Array(
            "data: {\"id\":\"\(id)\",\"object\":\"text_completion\",\"created\":\(created),\"choices\":[{\"text\":\"".utf8)
        let (model, usage, end) = (call.resolvedModel.jsonText, hasUsage ? ",\"usage\":null" : "", lineEnd + lineEnd)
        plainTails = (0..<call.choices).map {
            Array("\",\"index\":\($0),\"logprobs\":null,\"finish_reason\":null}],\"model\":\(model)\(usage)}\(end)".utf8)
        }
    }

    /// An event with a token; `text` appends it, escaped.
    /// - Parameters:
    ///   - finishReason: where this token is the choice's last.
    ///   - logprobs: the member's value, a JSON text.
    ///   - usage: what vLLM's continuous statistics say so far.
    func appendToken(
        to bytes: inout [UInt8], choice: Int, finishReason: String?, logprobs: String?, usage: Usage?,
        text: (inout [UInt8]) -> Void
    ) {
        bytes.append(contentsOf: prefix)
        text(&bytes)
        if finishReason == nil, logprobs == nil, usage == nil {
            bytes.append(contentsOf: plainTails[choice])
            return
        }
        let reason = finishReason?.jsonText ?? "null"
        let figures = usage.map { ",\"usage\":\($0.text)" } ?? (hasUsage ? ",\"usage\":null" : "")
        bytes.append(
            contentsOf: """
                ","index":\(choice),"logprobs":\(logprobs ?? "null"),"finish_reason":\(reason)}],\
                "model":\(call.resolvedModel.jsonText)\(figures)}\(lineEnd)\(lineEnd)
                """.utf8)
    }

    /// The usage event, where the request asked for one.
    func appendUsage(_ usage: Usage, to bytes: inout [UInt8]) {
        guard hasUsage else { return }
        bytes.append(
            contentsOf: """
                data: {"id":"\(id)","object":"text_completion","created":\(created),"model":\(call.resolvedModel.jsonText),\
                "usage":\(usage.text),"choices":[]}\(lineEnd)\(lineEnd)
                """.utf8)
    }

    func appendDone(to bytes: inout [UInt8]) { bytes.append(contentsOf: "data: [DONE]\(lineEnd)\(lineEnd)".utf8) }

    func appendComment(to bytes: inout [UInt8]) { bytes.append(contentsOf: ": ping\(lineEnd)\(lineEnd)".utf8) }

    func appendMalformed(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "data: {\"choices\":[{\"text\":\(lineEnd)\(lineEnd)".utf8)
    }

    func appendError(_ event: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "data: ".utf8)
        bytes.append(contentsOf: event)
        bytes.append(contentsOf: "\(lineEnd)\(lineEnd)".utf8)
    }
}

/// What a completion used.
struct Usage: Equatable {
    let promptTokens: Int
    let completionTokens: Int

    var text: String {
        """
        {"prompt_tokens":\(promptTokens),"completion_tokens":\(completionTokens),"total_tokens":\(promptTokens + completionTokens)}
        """
    }
}
