import StrictJSON

/// What a request has for itself in the chat dialect.
extension CompletionCall {
    /// Takes the last message for the prompt; all of them cost tokens.
    mutating func readMessages(_ value: JSONValue?) throws(APIError) {
        guard let messages = value?.array else { throw FieldReader.wrongType("messages", "an array of objects", value) }
        if messages.isEmpty {
            throw .badRequest(
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                param: "messages", code: "empty_array")
        }
        for (index, message) in messages.enumerated() {
            guard let role = message.object?["role"]?.string, let content = message.object?["content"]?.string else {
                throw FieldReader.wrongType("messages[\(index)].content", "a string", message.object?["content"])
            }
            guard ["system", "developer", "user", "assistant"].contains(role) else {
                throw .badRequest(
                    "Invalid value: '\(role)'. Supported values are: 'system', 'assistant', 'user', and 'developer'.",
                    param: "messages[\(index)].role", code: "invalid_value")
            }
            prompts.removeAll()
            add(content)
        }
    }

    mutating func readChatNumbers(_ reader: inout FieldReader) throws(APIError) {
        let old = try reader.integer("max_tokens", 1...Int64.max)
        let new = try reader.integer("max_completion_tokens", 1...Int64.max)
        if old != nil, new != nil {
            throw .badRequest(
                "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", param: "max_tokens",
                code: "invalid_parameter_combination")
        }
        // As much as fits the context, where nothing is said.
        maxTokens = (new ?? old).map(Int.init) ?? 4096
        let likeliest = try reader.integer("top_logprobs", 0...20)
        if try reader.bool("logprobs") == true {
            logprobs = likeliest.map(Int.init) ?? 0
        } else if likeliest != nil {
            throw .badRequest("'logprobs' must be true when 'top_logprobs' is used.", param: "top_logprobs")
        }
    }

    /// Models that reason first take no sampling parameters but the usual ones, and one name for the length.
    static func refuseSampling(_ reader: FieldReader) throws(APIError) {
        if let value = reader.object["max_tokens"], value != .null {
            throw .badRequest(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                param: "max_tokens", code: "unsupported_parameter")
        }
        for name in ["logprobs", "top_logprobs", "stop", "logit_bias"] {
            guard let value = reader.object[name], value != .null, value != .bool(false) else { continue }
            throw .badRequest(
                "Unsupported parameter: '\(name)' is not supported with this model.", param: name, code: "unsupported_parameter")
        }
        for (name, usual) in [("temperature", 1.0), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)] {
            guard let value = reader.object[name]?.number?.double, value != usual else { continue }
            throw .badRequest(
                "Unsupported value: '\(name)' does not support \(value.jsonText) with this model. "
                    + "Only the default (\(usual.jsonText)) value is supported.", param: name, code: "unsupported_value")
        }
    }
}
