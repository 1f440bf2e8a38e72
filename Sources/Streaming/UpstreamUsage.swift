import StrictJSON

/// The upstream's own count of the tokens of a completion. Tokens that a model spent on reasoning are among the completion's.
struct UpstreamUsage: Equatable {
    /// Where the numbers stand that grow while a completion goes on: the places of their literals.
    struct Figures {
        var completionTokens: Range<Int>?
        var totalTokens: Range<Int>?
    }

    /// No model takes or gives as many tokens; a number beyond is not believed.
    static let limit: Int64 = 1 << 24

    let promptTokens: Int
    let completionTokens: Int

    init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
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
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            guard try scanner.kind() == .number else {
                try scanner.skipValue()
                continue
            }
            let literal = try scanner.number()
            switch key.range.count {
            case 13 where scanner.matches(key, "prompt_tokens"): prompt = literal
            case 17 where scanner.matches(key, "completion_tokens"): figures.completionTokens = literal
            case 12 where scanner.matches(key, "total_tokens"): figures.totalTokens = literal
            default: break
            }
        }
        guard let prompt = prompt.flatMap({ EventScanner.integer(bytes[$0]) }),
            let completion = figures.completionTokens.flatMap({ EventScanner.integer(bytes[$0]) }),
            0...Self.limit ~= prompt, 0...Self.limit ~= completion
        else { return nil }
        promptTokens = Int(prompt)
        completionTokens = Int(completion)
    }
}
