package import StrictJSON

/// What a client asks for when it asks for a completion.
package struct CompletionRequest: Sendable, Equatable {
    /// The prompt; nil only while `presetID` says where it comes from.
    package let prompt: String?
    /// What the request names itself.
    package let parameters: CompletionParameters
    /// Whether the answer is a stream of events.
    package let stream: Bool
    /// The preset whose prompt and parameters fill what the request leaves out.
    package let presetID: PresetID?
    /// What the prompt, and the suffix that is sent with it, are taken to cost before the upstream has counted.
    package let estimatedPromptTokens: Int

    package init(
        prompt: String?, parameters: CompletionParameters = CompletionParameters(), stream: Bool = false,
        presetID: PresetID? = nil
    ) {
        self.prompt = prompt
        self.parameters = parameters
        self.stream = stream
        self.presetID = presetID
        estimatedPromptTokens =
            (prompt.map(TokenEstimate.tokens) ?? 0) + (parameters.suffix.map(TokenEstimate.tokens) ?? 0)
    }

    /// Reads a request's body; throws `invalid_json`, or an error that names every bad field.
    package static func parse(body: Span<UInt8>, models: ModelPolicy) throws(ServiceError) -> CompletionRequest {
        try parse(FieldReader(body: body), models: models)
    }

    /// The same for a body that is parsed already.
    package static func parse(_ object: JSONObject, models: ModelPolicy) throws(ServiceError) -> CompletionRequest {
        try parse(FieldReader(object), models: models)
    }

    private static func parse(_ fields: consuming FieldReader, models: ModelPolicy) throws(ServiceError) -> CompletionRequest {
        var reader = fields
        let presetID = reader.identifier("preset_id", as: PresetID.self)
        let prompt = reader.prompt(isRequired: !reader.contains("preset_id"))
        let parameters = CompletionParameters(reading: &reader, models: models)
        let stream = reader.bool("stream") ?? false
        try reader.finish()
        return CompletionRequest(prompt: prompt, parameters: parameters, stream: stream, presetID: presetID)
    }

    /// This request with whatever it leaves out taken from a preset.
    package func filled(prompt presetPrompt: String, parameters presetParameters: CompletionParameters) -> CompletionRequest {
        CompletionRequest(
            prompt: prompt ?? presetPrompt, parameters: parameters.merged(over: presetParameters), stream: stream,
            presetID: presetID)
    }
}

extension FieldReader {
    /// A prompt: one string of bounded length, possibly empty.
    package mutating func prompt(isRequired: Bool) -> String? {
        guard let value = value("prompt") else {
            if isRequired { require("prompt") }
            return nil
        }
        if case .array = value {
            note("prompt", .unsupportedParameter, "has to be one string: several prompts in one request are not supported")
            return nil
        }
        return string(value, "prompt", bytes: CompletionParameters.Limits.promptBytes)
    }
}

/// How many tokens a text may be, known before anybody has counted: an upper estimate for English, fair for other scripts.
package enum TokenEstimate {
    /// A quarter of the ASCII bytes, rounded up, and one for every other Unicode scalar.
    package static func tokens(in text: String) -> Int {
        var text = text
        return text.withUTF8 { bytes in
            var ascii = 0
            var scalars = 0
            for byte in bytes {
                ascii &+= byte < 0x80 ? 1 : 0
                // A scalar beyond ASCII is counted by its first byte; the others begin with the bits 10.
                scalars &+= byte >= 0xC0 ? 1 : 0
            }
            return (ascii + 3) / 4 + scalars
        }
    }
}
