package import PlaygroundCore
package import StrictJSON

/// What a client wants a preset to be: the whole of it, checked.
package struct PresetDraft: Sendable, Equatable {
    /// The bounds of a preset's own fields.
    package enum Limits {
        /// Unicode scalars of a name.
        package static let name = 1...200
        /// Presets of one user.
        package static let presets = 1_000
    }

    /// Fields of an answer that may come back in a request and change nothing.
    static let readOnly: Set<String> = ["id", "created_at", "updated_at"]

    package let name: String
    package let prompt: String
    /// The parameters as they will be stored: a JSON object.
    package let params: String
    /// The version the client has seen, where the body says it.
    package let version: Int64?

    /// Reads a body; throws `invalid_json`, or an error that names every bad field.
    package static func parse(body: Span<UInt8>, models: ModelPolicy) throws(ServiceError) -> PresetDraft {
        try parse(FieldReader(body: body, ignoring: readOnly), models: models)
    }

    /// The same for a body that is parsed already.
    package static func parse(_ object: JSONObject, models: ModelPolicy) throws(ServiceError) -> PresetDraft {
        try parse(FieldReader(object, ignoring: readOnly), models: models)
    }

    /// - Parameters:
    ///   - models: what the parameters may name; nil for any.
    ///   - kept: parameters that are stored already and are not in question. One that this version does not know (a newer one
    ///     has stored it) stays as it is.
    static func parse(
        _ fields: FieldReader, models: ModelPolicy?, keeping kept: JSONObject = JSONObject()
    ) throws(ServiceError) -> PresetDraft {
        var reader = fields
        let name = reader.requiredString("name", characters: Limits.name)
        let prompt = reader.prompt(isRequired: true) ?? ""
        let parameters = reader.fields("params") { params in
            for key in kept.keys { _ = params.value(key) }
            return CompletionParameters(reading: &params, models: models)
        }
        let version = reader.integer("version", in: 1...Int64.max)
        try reader.finish()
        var params = (try? JSONValue(parsing: (parameters ?? CompletionParameters()).jsonBytes))?.object ?? JSONObject()
        for member in kept.members where params[member.key] == nil { params[member.key] = member.value }
        return PresetDraft(name: name, prompt: prompt, params: params.jsonText, version: version)
    }
}
