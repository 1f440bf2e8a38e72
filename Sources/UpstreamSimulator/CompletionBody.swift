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
        let isLast = token == text.count - 1
        let reason = isLast && text.finishReason != "none" ? text.finishReason : nil
        encoder.appendToken(
            to: &bytes, choice: choice, finishReason: directives.isFinishAlone ? nil : reason,
            logprobs: logprobs(choice, token..<token + 1), usage: call.hasContinuousUsage ? usage(tokens: index + 1) : nil
        ) { text.append(token, to: &$0, unixNanoseconds: SystemClock.unixNanoseconds) }
        if directives.isFinishAlone, let reason {
            encoder.appendToken(to: &bytes, choice: choice, finishReason: reason, logprobs: nil, usage: nil) { _ in }
        }
    }

    /// Appends what follows the last token: finish reasons of choices without a token, usage, `[DONE]`.
    func appendEnd(to bytes: inout [UInt8]) {
        for (choice, text) in texts.enumerated() where text.count == 0 && text.finishReason != "none" {
            encoder.appendToken(to: &bytes, choice: choice, finishReason: text.finishReason, logprobs: nil, usage: nil) { _ in }
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
        var choices: [String] = []
        for (choice, text) in texts.enumerated() {
            var literal: [UInt8] = []
            for token in 0..<text.count { text.append(token, to: &literal, unixNanoseconds: SystemClock.unixNanoseconds) }
            choices.append(
                """
                    {
                      "finish_reason": \(text.finishReason == "none" ? "null" : text.finishReason.jsonText),
                      "index": \(choice),
                      "logprobs": \(logprobs(choice, 0..<text.count) ?? "null"),
                      "text": "\(String(decoding: literal, as: UTF8.self))"
                    }
                """)
        }
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
              "object": "text_completion"\(directives.hasUsage ? figures : "")
            }
            """.utf8)
    }

    private func usage(tokens: Int) -> Usage {
        let echoed = call.echoes ? call.choices : 0
        return Usage(
            promptTokens: directives.promptTokens ?? call.promptTokens,
            completionTokens: directives.completionTokens ?? max(0, tokens - echoed))
    }

    /// Made-up probabilities for some tokens of a choice; nil where the request asked for none.
    private func logprobs(_ choice: Int, _ tokens: Range<Int>) -> String? {
        guard let alternatives = call.logprobs else { return nil }
        let spoken = tokens.map { texts[choice].preparedToken($0) ?? "k\($0) " }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(
                "text_offset",
                spoken.map { token in
                    defer { offsets[choice] += token.unicodeScalars.count }
                    return offsets[choice]
                })
            writer.member("token_logprobs", spoken.map { _ in -0.125 })
            writer.member("tokens", spoken)
            writer.member("top_logprobs") { writer in
                writer.array { writer in
                    for token in spoken {
                        writer.object { writer in
                            if alternatives > 0 { writer.member(token, -0.125) }
                            for other in 1..<max(1, alternatives) { writer.member("\(token)~\(other)", -2.5 - Double(other)) }
                        }
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
