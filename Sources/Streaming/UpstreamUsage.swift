import StrictJSON

/// The upstream's own count of the tokens of a completion.
struct UpstreamUsage: Equatable {
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
    init?(taking scanner: inout JSONScanner, of bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        var prompt: Int64?
        var completion: Int64?
        guard try scanner.kind() == .object else {
            try scanner.skipValue()
            return nil
        }
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            let isPrompt = scanner.matches(key, "prompt_tokens")
            guard isPrompt || scanner.matches(key, "completion_tokens"), try scanner.kind() == .number else {
                try scanner.skipValue()
                continue
            }
            let value = EventScanner.integer(bytes[try scanner.number()])
            if isPrompt { prompt = value } else { completion = value }
        }
        guard let prompt, let completion, 0...Self.limit ~= prompt, 0...Self.limit ~= completion else { return nil }
        promptTokens = Int(prompt)
        completionTokens = Int(completion)
    }
}
