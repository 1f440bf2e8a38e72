import EventLoop
import StrictJSON

/// What a completion answers, as bytes: the events of a stream, or the one object.
final class CompletionBody {
    private let call: CompletionCall
    private let directives: Directives
    private let id: String
    private let created: Int64
    private let texts: [TokenText]
    private let encoder: EventEncoder
    /// Where each choice's tokens begin, counted in characters from the start of the prompt; for logprobs.
    private var offsets: [Int]

    /// Events with a token, over all choices: the choices take turns.
    let eventCount: Int
    /// Token events by choice and token, in the order they are sent.
    private let order: [(choice: Int, token: Int)]?

    init(call: CompletionCall, directives: Directives, id: String, created: Int64) {
        self.call = call
        self.directives = directives
        self.id = id
        self.created = created
        texts = (0..<call.choices).map { TokenText(call: call, directives: directives, choice: $0) }
        encoder = EventEncoder(call: call, directives: directives, id: id, created: created)
        offsets = (0..<call.choices).map { call.prompts[$0 / call.choicesPerPrompt].unicodeScalars.count }
        eventCount = texts.reduce(0) { $0 + $1.count }
        if texts.count == 1 {
            order = nil
        } else {
            let longest = texts.map(\.count).max() ?? 0
            let counts = texts.map(\.count)
            order = (0..<longest).flatMap { token in
                counts.indices.filter { token < counts[$0] }.map { (choice: $0, token: token) }
            }
        }
    }

    // MARK: Streamed

    /// Appends the event of one token, and the one with its finish_reason where that stands alone.
    func appendEvent(_ index: Int, to bytes: inout [UInt8]) {
        let (choice, token) = order?[index] ?? (0, index)
        let text = texts[choice]
        if directives.hasComments { encoder.appendComment(to: &bytes) }
        if directives.isMalformed, index == 1 { return encoder.appendMalformed(to: &bytes) }
        if token == 0 { appendOpening(of: choice, to: &bytes) }
        let isLast = token == text.count - 1
        let reason = isLast && text.finishReason != "none" ? text.finishReason : nil
        let isFinishAlone = directives.isFinishAlone || call.dialect == .chat
        encoder.appendToken(
            to: &bytes, choice: choice, finishReason: isFinishAlone ? nil : reason,
            logprobs: logprobs(choice, token..<token + 1), usage: call.hasContinuousUsage ? usage(tokens: index + 1) : nil
        ) { text.append(token, to: &$0, unixNanoseconds: SystemClock.unixNanoseconds) }
        if isFinishAlone, let reason { encoder.appendFinish(reason, choice: choice, to: &bytes) }
    }

    /// Appends what a chat sends in front of a choice's first token.
    private func appendOpening(of choice: Int, to bytes: inout [UInt8]) {
        guard call.dialect == .chat else { return }
        let prompt = directives.promptTokens ?? call.promptTokens
        let none = Usage(promptTokens: prompt, completionTokens: 0, cachedTokens: directives.cachedTokens, reasoningTokens: 0)
        encoder.appendRole(choice: choice, usage: call.hasContinuousUsage ? none : nil, to: &bytes)
        for thought in 0..<directives.thoughts {
            let usage = Usage(
                promptTokens: prompt, completionTokens: thought + 1, cachedTokens: directives.cachedTokens,
                reasoningTokens: thought + 1)
            encoder.appendThought("r\(thought) ", choice: choice, usage: call.hasContinuousUsage ? usage : nil, to: &bytes)
        }
    }

    /// Appends what follows the last token: finish reasons of choices without a token, usage, `[DONE]`.
    func appendEnd(to bytes: inout [UInt8]) {
        for (choice, text) in texts.enumerated() where text.count == 0 {
            appendOpening(of: choice, to: &bytes)
            if text.finishReason != "none" { encoder.appendFinish(text.finishReason, choice: choice, to: &bytes) }
        }
        encoder.appendUsage(usage(tokens: eventCount), to: &bytes)
        if directives.hasDone { encoder.appendDone(to: &bytes) }
    }

    func appendError(_ event: [UInt8], to bytes: inout [UInt8]) { encoder.appendError(event, to: &bytes) }

    /// Bytes of the whole stream, for a body with a length. Stamps have a fixed width, so the rehearsal fits.
    var streamLength: Int {
        var bytes: [UInt8] = []
        let before = offsets
        for index in 0..<eventCount { appendEvent(index, to: &bytes) }
        appendEnd(to: &bytes)
        offsets = before
        return bytes.count
    }

    // MARK: Whole

    /// The one object, with its members in the order of the recorded answers and their white space.
    func whole() -> [UInt8] {
        let choices = texts.indices.map { call.dialect == .chat ? chatChoice($0) : completionChoice($0) }
        let usage = usage(tokens: eventCount)
        let figures = """
            ,
              "usage": {
                "completion_tokens": \(usage.completionTokens),
                "prompt_tokens": \(usage.promptTokens),
                "total_tokens": \(usage.promptTokens + usage.completionTokens)
              }
            """
        return Array(
            """
            {
              "choices": [
            \(choices.joined(separator: ",\n"))
              ],
              "created": \(created),
              "id": "\(id)",
              "model": \(call.resolvedModel.jsonText),
              "object": "\(call.dialect == .chat ? "chat.completion" : "text_completion")"\(directives.hasUsage ? figures : "")
            }
            """.utf8)
    }

    private func completionChoice(_ choice: Int) -> String {
        """
            {
              "finish_reason": \(finishReason(of: choice)),
              "index": \(choice),
              "logprobs": \(logprobs(choice, 0..<texts[choice].count) ?? "null"),
              "text": "\(literal(of: choice))"
            }
        """
    }

    private func chatChoice(_ choice: Int) -> String {
        let (content, refusal) =
            directives.isRefusal ? ("null", "\"\(literal(of: choice))\"") : ("\"\(literal(of: choice))\"", "null")
        return """
                {
                  "index": \(choice),
                  "message": {
                    "role": "assistant",
                    "content": \(content),
                    "refusal": \(refusal)
                  },
                  "logprobs": \(logprobs(choice, 0..<texts[choice].count) ?? "null"),
                  "finish_reason": \(finishReason(of: choice))
                }
            """
    }

    private func finishReason(of choice: Int) -> String {
        texts[choice].finishReason == "none" ? "null" : texts[choice].finishReason.jsonText
    }

    /// A choice's whole text, escaped.
    private func literal(of choice: Int) -> String {
        var literal: [UInt8] = []
        for token in 0..<texts[choice].count {
            texts[choice].append(token, to: &literal, unixNanoseconds: SystemClock.unixNanoseconds)
        }
        return String(decoding: literal, as: UTF8.self)
    }

    private func usage(tokens: Int) -> Usage {
        let echoed = call.echoes ? call.choices : 0
        let thoughts = call.dialect == .chat ? directives.thoughts * call.choices : 0
        return Usage(
            promptTokens: directives.promptTokens ?? call.promptTokens,
            completionTokens: directives.completionTokens ?? max(0, tokens - echoed) + thoughts,
            cachedTokens: directives.cachedTokens,
            reasoningTokens: directives.reasoningTokens ?? (call.dialect == .chat ? thoughts : nil))
    }

    /// Made-up probabilities for some tokens of a choice; nil where the request asked for none.
    private func logprobs(_ choice: Int, _ tokens: Range<Int>) -> String? {
        guard let alternatives = call.logprobs else { return nil }
        let spoken = tokens.map { texts[choice].preparedToken($0) ?? "k\($0) " }
        switch call.dialect {
        case .chat: return MadeUpLogprobs.chat(spoken, alternatives: alternatives)
        case .completions:
            let places = spoken.map { token in
                defer { offsets[choice] += token.unicodeScalars.count }
                return offsets[choice]
            }
            return MadeUpLogprobs.completions(spoken, alternatives: alternatives, offsets: places)
        }
    }
}
