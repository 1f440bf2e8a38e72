import StrictJSON

/// Writes the events of one streamed completion, with the members in the order in which they were recorded.
struct EventEncoder {
    /// For each choice, `data: ` up to the opening quote of the text.
    private let heads: [[UInt8]]
    /// For each choice, between the text and the end of an event that neither ends its choice nor carries figures.
    private let plainTails: [[UInt8]]
    private let call: CompletionCall
    /// The members in front of `choices` in an event with a token.
    private let start: String
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
        let (model, usage, end) = (call.resolvedModel.jsonText, hasUsage ? ",\"usage\":null" : "", lineEnd + lineEnd)
        switch call.dialect {
        case .completions:
            start = "data: {\"id\":\"\(id)\",\"object\":\"text_completion\",\"created\":\(created),"
            let head = Array("\(start)\"choices\":[{\"text\":\"".utf8)
            heads = (0..<call.choices).map { _ in head }
            plainTails = (0..<call.choices).map {
                Array("\",\"index\":\($0),\"logprobs\":null,\"finish_reason\":null}],\"model\":\(model)\(usage)}\(end)".utf8)
            }
        case .chat:
            let start = "data: {\"id\":\"\(id)\",\"object\":\"chat.completion.chunk\",\"created\":\(created),\"model\":\(model),"
            self.start = start
            let member = directives.isRefusal ? "refusal" : "content"
            heads = (0..<call.choices).map { Array("\(start)\"choices\":[{\"index\":\($0),\"delta\":{\"\(member)\":\"".utf8) }
            plainTails = (0..<call.choices).map { _ in
                Array("\"},\"logprobs\":null,\"finish_reason\":null}]\(usage)}\(end)".utf8)
            }
        }
    }

    /// An event with a token; `text` appends it, escaped.
    /// - Parameters:
    ///   - finishReason: where this token is the choice's last; chats say it in an event of its own.
    ///   - logprobs: the member's value, a JSON text.
    ///   - usage: what vLLM's continuous statistics say so far.
    func appendToken(
        to bytes: inout [UInt8], choice: Int, finishReason: String?, logprobs: String?, usage: Usage?,
        text: (inout [UInt8]) -> Void
    ) {
        bytes.append(contentsOf: heads[choice])
        text(&bytes)
        if finishReason == nil, logprobs == nil, usage == nil {
            bytes.append(contentsOf: plainTails[choice])
            return
        }
        let reason = finishReason?.jsonText ?? "null"
        let figures = figures(usage)
        let tail =
            switch call.dialect {
            case .completions:
                """
                ","index":\(choice),"logprobs":\(logprobs ?? "null"),"finish_reason":\(reason)}],\
                "model":\(call.resolvedModel.jsonText)\(figures)}\(lineEnd)\(lineEnd)
                """
            case .chat: "\"},\"logprobs\":\(logprobs ?? "null"),\"finish_reason\":\(reason)}]\(figures)}\(lineEnd)\(lineEnd)"
            }
        bytes.append(contentsOf: tail.utf8)
    }

    /// An event with a finish_reason and no text.
    func appendFinish(_ reason: String, choice: Int, to bytes: inout [UInt8]) {
        switch call.dialect {
        case .completions: appendToken(to: &bytes, choice: choice, finishReason: reason, logprobs: nil, usage: nil) { _ in }
        case .chat: appendDelta("{}", choice: choice, finishReason: reason, usage: nil, to: &bytes)
        }
    }

    /// The first event of a chat's choice, which only says who speaks.
    func appendRole(choice: Int, usage: Usage?, to bytes: inout [UInt8]) {
        appendDelta(
            "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", choice: choice, finishReason: nil, usage: usage,
            to: &bytes)
    }

    /// An event with what a chat's model thinks aloud.
    func appendThought(_ text: String, choice: Int, usage: Usage?, to bytes: inout [UInt8]) {
        appendDelta("{\"reasoning_content\":\(text.jsonText)}", choice: choice, finishReason: nil, usage: usage, to: &bytes)
    }

    private func appendDelta(_ delta: String, choice: Int, finishReason: String?, usage: Usage?, to bytes: inout [UInt8]) {
        bytes.append(
            contentsOf: """
                \(start)"choices":[{"index":\(choice),"delta":\(delta),"logprobs":null,\
                "finish_reason":\(finishReason?.jsonText ?? "null")}]\(figures(usage))}\(lineEnd)\(lineEnd)
                """.utf8)
    }

    private func figures(_ usage: Usage?) -> String {
        usage.map { ",\"usage\":\($0.text)" } ?? (hasUsage ? ",\"usage\":null" : "")
    }

    /// The usage event, where the request asked for one.
    func appendUsage(_ usage: Usage, to bytes: inout [UInt8]) {
        guard hasUsage else { return }
        bytes.append(
            contentsOf: """
                data: {"id":"\(id)","object":"\(call.dialect == .chat ? "chat.completion.chunk" : "text_completion")",\
                "created":\(created),"model":\(call.resolvedModel.jsonText),"usage":\(usage.text),"choices":[]}\(lineEnd)\(lineEnd)
                """.utf8)
    }

    func appendDone(to bytes: inout [UInt8]) { bytes.append(contentsOf: "data: [DONE]\(lineEnd)\(lineEnd)".utf8) }

    func appendComment(to bytes: inout [UInt8]) { bytes.append(contentsOf: ": ping\(lineEnd)\(lineEnd)".utf8) }

    func appendMalformed(to bytes: inout [UInt8]) {
        let member = call.dialect == .chat ? "delta" : "text"
        bytes.append(contentsOf: "data: {\"choices\":[{\"\(member)\":\(lineEnd)\(lineEnd)".utf8)
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
    /// Of the prompt's tokens, those that were cached; nil where nothing is told of it.
    var cachedTokens: Int?
    /// Of the completion's tokens, those that were thought; nil where the dialect does not tell.
    var reasoningTokens: Int?

    var text: String {
        let cached = cachedTokens.map { ",\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":\($0)}" } ?? ""
        let thought = reasoningTokens.map { ",\"completion_tokens_details\":{\"reasoning_tokens\":\($0)}" } ?? ""
        return """
            {"prompt_tokens":\(promptTokens),"completion_tokens":\(completionTokens),\
            "total_tokens":\(promptTokens + completionTokens)\(cached)\(thought)}
            """
    }
}
