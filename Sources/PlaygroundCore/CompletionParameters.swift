package import StrictJSON

/// The knobs of a completion: what a preset saves as `params`, and what a request carries beside its prompt.
///
/// Numbers keep their sender's literal, so that a preset reads back as it was saved and the upstream gets what was asked. A reference:
/// of a value with so many strings each copy would cost as much as reading it.
package final class CompletionParameters: Sendable {
    /// nil: the server's own.
    package let model: String?
    /// 1 to 2³¹−1.
    package let maxTokens: Int?
    /// 0 to 2.
    package let temperature: JSONNumber?
    /// 0 to 1.
    package let topP: JSONNumber?
    /// At most `mostStops`, none empty; none at all where absent.
    package let stop: [String]
    /// −2 to 2.
    package let frequencyPenalty: JSONNumber?
    /// −2 to 2.
    package let presencePenalty: JSONNumber?
    /// For an upstream that can repeat itself.
    package let seed: Int64?
    /// Token id, in digits, to a number from −100 to 100.
    package let logitBias: JSONObject?
    /// 0 to 5.
    package let logprobs: Int?
    /// What comes behind the completion.
    package let suffix: String?

    /// Each as its property says.
    package init(
        model: String? = nil, maxTokens: Int? = nil, temperature: JSONNumber? = nil, topP: JSONNumber? = nil,
        stop: [String] = [], frequencyPenalty: JSONNumber? = nil, presencePenalty: JSONNumber? = nil, seed: Int64? = nil,
        logitBias: JSONObject? = nil, logprobs: Int? = nil, suffix: String? = nil
    ) {
        self.model = model
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.topP = topP
        self.stop = stop
        self.frequencyPenalty = frequencyPenalty
        self.presencePenalty = presencePenalty
        self.seed = seed
        self.logitBias = logitBias
        self.logprobs = logprobs
        self.suffix = suffix
    }

    /// Reads the fields it knows and notes the bad ones; whatever else the object holds is the reader's to judge.
    /// - Parameter models: what `model` may name; nil to accept any (a preset that is stored already).
    package init(reading reader: inout FieldReader, models: ModelPolicy? = nil) {
        model = reader.string("model", characters: Limits.model)
        if let model, let models, !models.allows(model) {
            reader.note("model", .modelNotAllowed, ModelPolicy.refusalPhrase)
        }
        maxTokens = reader.integer("max_tokens", in: Limits.maxTokens).map { Int($0) }
        temperature = reader.number("temperature", in: Limits.temperature)
        topP = reader.number("top_p", in: Limits.topP)
        stop = reader.strings("stop", atMost: Limits.stops, characters: 1...Limits.stopBytes, bytes: Limits.stopBytes)
        frequencyPenalty = reader.number("frequency_penalty", in: Limits.penalty)
        presencePenalty = reader.number("presence_penalty", in: Limits.penalty)
        seed = reader.integer("seed", in: .min ... .max)
        logitBias = reader.numbers(
            "logit_bias", atMost: Limits.logitBiases, in: Limits.logitBias, named: "token ids in digits", isName: Self.isTokenID)
        logprobs = reader.integer("logprobs", in: Limits.logprobs).map { Int($0) }
        suffix = reader.string("suffix", bytes: Limits.promptBytes)

        // The caller's own opaque user id is replaced by ours, whatever it is.
        _ = reader.string("user")
        // A value that asks for nothing special does no harm.
        for name in ["n", "best_of"] {
            if let choices = reader.integer(name, in: .min ... .max), choices != 1 {
                reader.note(name, .unsupportedParameter, "can only be 1")
            }
        }
        if reader.bool("echo") == true { reader.note("echo", .unsupportedParameter, "can only be false") }
    }
}

extension CompletionParameters {
    /// The ranges of the knobs, as they are refused here and shown to frontends.
    package enum Limits {
        /// Characters in the name of a model.
        package static let model = 1...200
        /// Tokens; what a plan allows is less.
        package static let maxTokens: ClosedRange<Int64> = 1...2_147_483_647
        package static let temperature = 0.0...2.0
        package static let topP = 0.0...1.0
        /// Bounds of both penalties.
        package static let penalty = -2.0...2.0
        /// How many stop sequences at most.
        package static let stops = 4
        /// UTF-8 bytes of one stop string.
        package static let stopBytes = 256
        package static let logprobs: ClosedRange<Int64> = 0...5
        /// Bounds of one bias.
        package static let logitBias = -100.0...100.0
        /// How many biased tokens at most.
        package static let logitBiases = 300
        /// UTF-8 bytes of a prompt, and of a suffix.
        package static let promptBytes = 131_072
    }

    /// Reads a preset's `params` as `write(to:)` stored them. Members that a newer version may have stored are passed over; a
    /// value that this version would not have stored throws.
    package convenience init(stored json: String) throws(ServiceError) {
        do {
            let value = try JSONValue(parsing: json)
            var reader = FieldReader(value.object ?? JSONObject(), ignoring: Set(value.object?.keys ?? []))
            self.init(reading: &reader)
            try reader.finish()
        } catch {
            throw ServiceError(.internalError, cause: "stored completion parameters cannot be read: \(error)")
        }
    }

    /// These, with every absent one taken from `preset`.
    package func merged(over preset: CompletionParameters) -> CompletionParameters {
        CompletionParameters(
            model: model ?? preset.model, maxTokens: maxTokens ?? preset.maxTokens,
            temperature: temperature ?? preset.temperature, topP: topP ?? preset.topP,
            stop: stop.isEmpty ? preset.stop : stop, frequencyPenalty: frequencyPenalty ?? preset.frequencyPenalty,
            presencePenalty: presencePenalty ?? preset.presencePenalty, seed: seed ?? preset.seed,
            logitBias: logitBias ?? preset.logitBias, logprobs: logprobs ?? preset.logprobs, suffix: suffix ?? preset.suffix)
    }

    /// A vocabulary's index: one to ten digits.
    private static func isTokenID(_ name: String) -> Bool {
        (1...10).contains(name.utf8.count) && name.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
    }
}

extension CompletionParameters: Equatable {
    /// By what is written of them: that is all of them, as they were sent.
    package static func == (left: CompletionParameters, right: CompletionParameters) -> Bool {
        left.jsonBytes == right.jsonBytes
    }
}

extension CompletionParameters: JSONWritable {
    /// Writes one object, absent parameters left out: what a preset stores and answers with.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("model", model)
            writer.member("max_tokens", maxTokens)
            writeSampling(to: &writer)
            writer.member("logprobs", logprobs)
            writer.member("suffix", suffix)
        }
    }

    /// Writes what says how a token is chosen, and which is the last: members of the object that is open, called the same by every
    /// kind of upstream.
    /// - Parameter refused: names of members that are left out.
    package func writeSampling(to writer: inout JSONWriter, except refused: Set<String> = []) {
        if let temperature, !refused.contains("temperature") { writer.member("temperature", temperature) }
        if let topP, !refused.contains("top_p") { writer.member("top_p", topP) }
        if !stop.isEmpty, !refused.contains("stop") { writer.member("stop", stop) }
        if let frequencyPenalty, !refused.contains("frequency_penalty") { writer.member("frequency_penalty", frequencyPenalty) }
        if let presencePenalty, !refused.contains("presence_penalty") { writer.member("presence_penalty", presencePenalty) }
        if let seed, !refused.contains("seed") { writer.member("seed", seed) }
        if let logitBias, !refused.contains("logit_bias") { writer.member("logit_bias", logitBias) }
    }
}
