import StrictJSON

/// The upstream's own count of the tokens of a completion. Tokens that a model spent on reasoning are among the completion's,
/// those that were cached among the prompt's.
struct UpstreamUsage: Equatable {
    /// Where the numbers stand that grow while a completion goes on: the places of their literals.
    struct Figures {
        var completionTokens: Range<Int>?
        var totalTokens: Range<Int>?
        var reasoningTokens: Range<Int>?
    }

    /// No model takes or gives as many tokens; a number beyond is not believed.
    static let limit: Int64 = 1 << 24

    let promptTokens: Int
    let completionTokens: Int
    let cachedTokens: Int
    let reasoningTokens: Int

    /// A part that is more than the whole is not believed.
    init(promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0, reasoningTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens <= promptTokens ? cachedTokens : 0
        self.reasoningTokens = reasoningTokens <= completionTokens ? reasoningTokens : 0
    }

    /// Takes the value of `usage`; nil where it is null or cannot be believed: it is no content, and what was delivered
    /// is counted in any case.
    init?(
        taking scanner: inout JSONScanner, of bytes: UnsafeBufferPointer<UInt8>, figures: inout Figures
    ) throws(JSONError) {
        figures = Figures()
        guard try scanner.kind() == .object else {
            try scanner.skipValue()
            return nil
        }
        var prompt: Range<Int>?
        var cached: Range<Int>?
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            switch key.range.count {
            case 13 where scanner.matches(key, "prompt_tokens"): prompt = try Self.number(&scanner) ?? prompt
            case 17 where scanner.matches(key, "completion_tokens"):
                figures.completionTokens = try Self.number(&scanner) ?? figures.completionTokens
            case 12 where scanner.matches(key, "total_tokens"):
                figures.totalTokens = try Self.number(&scanner) ?? figures.totalTokens
            case 21 where scanner.matches(key, "prompt_tokens_details"): cached = try Self.detail("cached_tokens", &scanner)
            case 25 where scanner.matches(key, "completion_tokens_details"):
                figures.reasoningTokens = try Self.detail("reasoning_tokens", &scanner)
            default: try scanner.skipValue()
            }
        }
        guard let prompt = Self.count(prompt, bytes), let completion = Self.count(figures.completionTokens, bytes) else {
            return nil
        }
        self.init(
            promptTokens: prompt, completionTokens: completion, cachedTokens: Self.count(cached, bytes) ?? 0,
            reasoningTokens: Self.count(figures.reasoningTokens, bytes) ?? 0)
    }

    /// The literal of a number, or nil for a value of another kind.
    private static func number(_ scanner: inout JSONScanner) throws(JSONError) -> Range<Int>? {
        if try scanner.kind() == .number { return try scanner.number() }
        try scanner.skipValue()
        return nil
    }

    /// The literal of one number in an object of details.
    private static func detail(_ name: StaticString, _ scanner: inout JSONScanner) throws(JSONError) -> Range<Int>? {
        guard try scanner.kind() == .object else {
            try scanner.skipValue()
            return nil
        }
        var literal: Range<Int>?
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            if scanner.matches(key, name) {
                literal = try number(&scanner) ?? literal
            } else {
                try scanner.skipValue()
            }
        }
        return literal
    }

    private static func count(_ literal: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let literal, let count = Int64(decimal: UnsafeBufferPointer(rebasing: bytes[literal])), 0...limit ~= count else {
            return nil
        }
        return Int(count)
    }
}
