import StrictJSON

/// The two contracts that a request may be made under.
enum Dialect: Equatable {
    case completions, chat

    /// nil for a path under which nothing is completed.
    init?(path: String) {
        switch path {
        case "/v1/completions": self = .completions
        case "/v1/chat/completions": self = .chat
        default: return nil
        }
    }

    /// How the ids of completions begin.
    var idPrefix: String { self == .chat ? "chatcmpl-" : "cmpl-" }
}

/// A completion request as the upstream understands it: every field judged, the first bad one refused.
struct CompletionCall: Equatable {
    let dialect: Dialect
    var model = ""
    /// The model's name in the answer.
    var resolvedModel = ""
    /// As text; a prompt of token ids is a row of spaces, one a token. Of a chat, what the last message says.
    var prompts: [String] = []
    /// Tokens over all prompts, each counted once, as usage counts them.
    var promptTokens = 0
    /// What the rate limit charges for the prompts: ⌊characters / 4⌋ each, or the exact number of token ids.
    var chargedTokens = 0
    var maxTokens = 16
    var choicesPerPrompt = 1
    var isStreamed = false
    var includesUsage = false
    /// vLLM's `continuous_usage_stats`: every chunk carries the usage so far.
    var hasContinuousUsage = false
    var stops: [String] = []
    /// How many of the likeliest tokens are wanted with each.
    var logprobs: Int?
    var echoes = false
    var seed: Int64?

    var choices: Int { prompts.count * choicesPerPrompt }

    /// Reads a body.
    /// - Throws: the answer it gets: 400 in the recorded words where there are such, 404 for a model that does not exist.
    init(parsing body: [UInt8], models: ModelCatalogue, dialect: Dialect = .completions) throws(APIError) {
        self.dialect = dialect
        guard let object = try? JSONValue(parsing: body, limits: JSONLimits(allowsNullCharacter: true)).object else {
            throw .badRequest(
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
                    + "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)")
        }
        let known = dialect == .chat ? Self.knownInChat : Self.knownInCompletions
        if let name = object.keys.first(where: { !known.contains($0) }) {
            throw .badRequest("Unrecognized request argument supplied: \(name)")
        }
        var reader = FieldReader(object: object)
        guard let model = try reader.string("model") else { throw .badRequest("you must provide a model parameter") }
        self.model = model
        guard let resolved = models.resolve(model) else { throw .modelNotFound(model) }
        resolvedModel = resolved
        switch dialect {
        case .completions: try readPrompts(object["prompt"])
        case .chat:
            if models.isReasoning(model) { try Self.refuseSampling(reader) }
            try readMessages(object["messages"])
        }
        try readNumbers(&reader)
        try readOptions(&reader, object)
    }

    private static let knownInBoth: Set = [
        "model", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n", "presence_penalty", "seed", "stop", "stream",
        "stream_options", "temperature", "top_p", "user",
    ]
    private static let knownInCompletions = knownInBoth.union(["prompt", "best_of", "echo", "suffix"])
    private static let knownInChat = knownInBoth.union(["messages", "max_completion_tokens", "top_logprobs"])

    private mutating func readNumbers(_ reader: inout FieldReader) throws(APIError) {
        switch dialect {
        case .completions:
            maxTokens = try reader.integer("max_tokens", 0...Int64.max).map(Int.init) ?? 16
            logprobs = try reader.integer("logprobs", 0...5).map(Int.init)
        case .chat: try readChatNumbers(&reader)
        }
        _ = try reader.decimal("temperature", 0...2)
        _ = try reader.decimal("top_p", 0...1)
        choicesPerPrompt = try reader.integer("n", 1...128).map(Int.init) ?? 1
        let best = try reader.integer("best_of", 1...20)
        if let best, best < choicesPerPrompt {
            throw .badRequest(
                "You requested that the server return more choices than it will generate (HINT: best_of must be >= n).")
        }
        _ = try reader.decimal("presence_penalty", -2...2)
        _ = try reader.decimal("frequency_penalty", -2...2)
        seed = try reader.integer("seed", Int64.min...Int64.max)
    }

    private mutating func readOptions(_ reader: inout FieldReader, _ object: JSONObject) throws(APIError) {
        echoes = try reader.bool("echo") ?? false
        isStreamed = try reader.bool("stream") ?? false
        _ = try reader.string("suffix")
        _ = try reader.string("user")
        switch object["stop"] {
        case nil, .null: break
        case .string(let stop): stops = [stop]
        case .array(let list):
            guard list.count <= 4 else {
                throw .badRequest(
                    "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length "
                        + "\(list.count) instead.", param: "stop", code: "array_above_max_length")
            }
            stops = list.compactMap(\.string)
            guard stops.count == list.count else { throw FieldReader.wrongType("stop", "a string", list.first) }
        case let value: throw FieldReader.wrongType("stop", "a string", value)
        }
        switch object["stream_options"] {
        case nil, .null: break
        case .object(let options):
            guard isStreamed else {
                throw .badRequest(
                    "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param: "stream_options")
            }
            includesUsage = options["include_usage"]?.bool ?? false
            hasContinuousUsage = options["continuous_usage_stats"]?.bool ?? false
        case let value: throw FieldReader.wrongType("stream_options", "an object", value)
        }
    }

    private mutating func readPrompts(_ value: JSONValue?) throws(APIError) {
        switch value {
        case nil, .null: add("<|endoftext|>")
        case .string(let prompt): add(prompt)
        case .array(let list) where !list.isEmpty && list.allSatisfy { $0.number != nil }: add(tokenIDs: list.count)
        case .array(let list):
            for element in list {
                switch element {
                case .string(let prompt): add(prompt)
                case .array(let ids): add(tokenIDs: ids.count)
                default: throw FieldReader.wrongType("prompt", "a string", element)
                }
            }
        case let value: throw FieldReader.wrongType("prompt", "a string", value)
        }
        if prompts.isEmpty { throw .badRequest("[] is too short - 'prompt'") }
    }

    mutating func add(_ prompt: String) {
        prompts.append(prompt)
        let characters = prompt.unicodeScalars.count
        promptTokens += (characters + 3) / 4
        chargedTokens += characters / 4
    }

    private mutating func add(tokenIDs count: Int) {
        prompts.append(String(repeating: " ", count: count))
        promptTokens += count
        chargedTokens += count
    }
}
