import StrictJSON

/// One element of an event's `choices`, checked, as places in the event's bytes. The dialects differ here and nowhere else.
struct UpstreamChoice {
    /// The longest finish reason, in bytes.
    static let finishReasonLimit = 64

    private(set) var index: Int64 = 0
    private(set) var text: Range<Int>?
    private(set) var reasoning: Range<Int>?
    private(set) var finishReason: Range<Int>?
    private(set) var logprobs: Range<Int>?

    /// Takes a choice; throws `JSONError` or ``EventMisfit``.
    init(
        taking scanner: inout JSONScanner, of bytes: UnsafeBufferPointer<UInt8>, kind: UpstreamKind, wantsLogprobs: Bool
    ) throws {
        guard try scanner.kind() == .object else { throw EventMisfit.shape("a choice is no object") }
        var hasIndex = false
        var hasText = false
        var speaksOtherwise = false
        var hasFinishReason = false
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            switch key.range.count {
            case 4 where kind == .completion && scanner.matches(key, "text"):
                if hasText { throw EventMisfit.shape("a choice has two texts") }
                hasText = true
                text = try Self.stringOrNull(&scanner, orElse: "a text is no string")
            case 5 where kind == .chat && scanner.matches(key, "delta"):
                if hasText { throw EventMisfit.shape("a choice has two deltas") }
                hasText = true
                try takeDelta(&scanner)
            // What the other dialect says it with, or an answer in one piece.
            case 4 where scanner.matches(key, "text"), 5 where scanner.matches(key, "delta"),
                7 where scanner.matches(key, "message"):
                if try scanner.kind() != .null { speaksOtherwise = true }
                try scanner.skipValue()
            case 13 where scanner.matches(key, "finish_reason"):
                if hasFinishReason { throw EventMisfit.shape("a choice has two finish reasons") }
                hasFinishReason = true
                let reason = try Self.stringOrNull(&scanner, orElse: "a finish reason is no string")
                if let reason, reason.count > Self.finishReasonLimit {
                    throw EventMisfit.shape("a finish reason is too long")
                }
                // Some upstreams write the empty string where others write null.
                finishReason = reason.flatMap { $0.isEmpty ? nil : $0 }
            case 5 where scanner.matches(key, "index"):
                guard !hasIndex, try scanner.kind() == .number,
                    let value = Int64(decimal: UnsafeBufferPointer(rebasing: bytes[try scanner.number()]))
                else { throw EventMisfit.shape("a choice's index is not one integer") }
                hasIndex = true
                index = value
            case 8 where wantsLogprobs && scanner.matches(key, "logprobs"):
                let isNull = try scanner.kind() == .null
                let start = scanner.offset
                try scanner.skipValue()
                logprobs = isNull ? nil : start..<scanner.offset
            default: try scanner.skipValue()
            }
        }
        // Some upstreams leave out what is null: then a choice may have nothing but its finish reason, or its index.
        if speaksOtherwise, !hasText {
            throw EventMisfit.shape(kind == .completion ? "a choice has no text" : "a choice has no delta")
        }
    }

    /// Takes what a chat model says. A refusal is what it answers, so it is text like any other; calls of tools were not
    /// offered to it.
    private mutating func takeDelta(_ scanner: inout JSONScanner) throws {
        switch try scanner.kind() {
        case .object: break
        case .null: return try scanner.null()
        default: throw EventMisfit.shape("a delta is no object")
        }
        var hasContent = false
        var refusal: Range<Int>?
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            switch key.range.count {
            case 7 where scanner.matches(key, "content"):
                if hasContent { throw EventMisfit.shape("a delta has two contents") }
                hasContent = true
                text = try Self.stringOrNull(&scanner, orElse: "a delta's content is no string")
            case 7 where scanner.matches(key, "refusal"):
                if refusal != nil { throw EventMisfit.shape("a delta has two refusals") }
                refusal = try Self.stringOrNull(&scanner, orElse: "a refusal is no string")
            case 17 where scanner.matches(key, "reasoning_content"), 9 where scanner.matches(key, "reasoning"):
                guard try scanner.kind() == .string else {
                    try scanner.skipValue()
                    continue
                }
                let thought = try scanner.string().range
                if !thought.isEmpty { reasoning = thought }
            case 10 where scanner.matches(key, "tool_calls"), 13 where scanner.matches(key, "function_call"):
                try Self.takeNothing(&scanner)
            default: try scanner.skipValue()
            }
        }
        guard let refusal, !refusal.isEmpty else { return }
        if let text, !text.isEmpty { throw EventMisfit.shape("a delta has both content and refusal") }
        text = refusal
    }

    private static func takeNothing(_ scanner: inout JSONScanner) throws {
        switch try scanner.kind() {
        case .null: try scanner.null()
        case .array:
            try scanner.enterArray()
            if try scanner.nextElement() { throw EventMisfit.shape("a delta calls a tool") }
        default: throw EventMisfit.shape("a delta calls a tool")
        }
    }

    private static func stringOrNull(_ scanner: inout JSONScanner, orElse phrase: StaticString) throws -> Range<Int>? {
        switch try scanner.kind() {
        case .string: return try scanner.string().range
        case .null:
            try scanner.null()
            return nil
        default: throw EventMisfit.shape(phrase)
        }
    }
}
