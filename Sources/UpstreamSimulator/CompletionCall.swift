import StrictJSON

/// A completion request as the upstream understands it: every field judged, the first bad one refused.
struct CompletionCall: Equatable {
    var model = ""
    /// The model's name in the answer.
    var resolvedModel = ""
    /// As text; a prompt of token ids is a row of spaces, one a token.
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
    var logprobs: Int?
    var echoes = false
    var seed: Int64?

    var choices: Int { prompts.count * choicesPerPrompt }

    /// Reads a body.
    /// - Throws: the answer it gets: 400 in the recorded words where there are such, 404 for a model that does not exist.
    init(parsing body: [UInt8], models: ModelCatalogue) throws(APIError) {
        guard let object = try? JSONValue(parsing: body, limits: JSONLimits(allowsNullCharacter: true)).object else {
            throw .badRequest(
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
                    + "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)")
        }
        if let name = object.keys.first(where: { !Self.known.contains($0) }) {
            throw .badRequest("Unrecognized request argument supplied: \(name)")
        }
        var reader = FieldReader(object: object)
        guard let model = try reader.string("model") else { throw .badRequest("you must provide a model parameter") }
        self.model = model
        guard let resolved = models.resolve(model) else { throw .modelNotFound(model) }
        resolvedModel = resolved
        try readPrompts(object["prompt"])
        try readNumbers(&reader)
        try readOptions(&reader, object)
    }

    private static let known: Set = [
        "model", "prompt", "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
        "presence_penalty", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user",
    ]

    private mutating func readNumbers(_ reader: inout FieldReader) throws(APIError) {
        maxTokens = try reader.integer("max_tokens", 0...Int64.max).map(Int.init) ?? 16
        _ = try reader.decimal("temperature", 0...2)
        _ = try reader.decimal("top_p", 0...1)
        choicesPerPrompt = try reader.integer("n", 1...128).map(Int.init) ?? 1
        let best = try reader.integer("best_of", 1...20)
        if let best, best < choicesPerPrompt {
            throw .badRequest(
                "You requested that the server return more choices than it will generate (HINT: best_of must be >= n).")
        }
        logprobs = try reader.integer("logprobs", 0...5).map(Int.init)
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

    private mutating func add(_ prompt: String) {
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

/// Takes typed members out of a request, in the recorded words where one does not fit.
private struct FieldReader {
    let object: JSONObject

    func string(_ name: String) throws(APIError) -> String? {
        switch object[name] {
        case nil, .null: nil
        case .string(let text): text
        case let value: throw Self.wrongType(name, "a string", value)
        }
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        switch object[name] {
        case nil, .null: nil
        case .bool(let bool): bool
        case let value: throw Self.wrongType(name, "a boolean", value)
        }
    }

    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(APIError) -> Int64? {
        guard let value = object[name], value != .null else { return nil }
        guard let number = value.number?.integer else { throw Self.wrongType(name, "an integer", value) }
        if number < range.lowerBound { throw Self.below("integer", name, String(range.lowerBound), String(number)) }
        if number > range.upperBound { throw Self.above("integer", name, String(range.upperBound), String(number)) }
        return number
    }

    func decimal(_ name: String, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = object[name], value != .null else { return nil }
        guard let literal = value.number, let number = literal.double else { throw Self.wrongType(name, "a decimal", value) }
        if number < range.lowerBound { throw Self.below("decimal", name, range.lowerBound.jsonText, literal.literal) }
        if number > range.upperBound { throw Self.above("decimal", name, range.upperBound.jsonText, literal.literal) }
        return number
    }

    static func wrongType(_ name: String, _ expected: String, _ value: JSONValue?) -> APIError {
        let got =
            switch value {
            case nil, .null: "null"
            case .bool: "a boolean"
            case .number(let number): number.integer == nil ? "a decimal number" : "an integer"
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        return .badRequest(
            "Invalid type for '\(name)': expected \(expected), but got \(got) instead.", param: name, code: "invalid_type")
    }

    private static func below(_ kind: String, _ name: String, _ bound: String, _ got: String) -> APIError {
        .badRequest(
            "Invalid '\(name)': \(kind) below minimum value. Expected a value >= \(bound), but got \(got) instead.",
            param: name, code: "\(kind)_below_min_value")
    }

    private static func above(_ kind: String, _ name: String, _ bound: String, _ got: String) -> APIError {
        .badRequest(
            "Invalid '\(name)': \(kind) above maximum value. Expected a value <= \(bound), but got \(got) instead.",
            param: name, code: "\(kind)_above_max_value")
    }
}
