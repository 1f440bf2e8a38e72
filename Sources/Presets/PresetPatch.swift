package import PlaygroundCore
package import StrictJSON

/// A JSON merge patch (RFC 7396) of a preset: what it names changes, `null` removes, all else stays, also parameters that the
/// client does not know.
package struct PresetPatch: Sendable, Equatable {
    private let changes: JSONObject
    /// The version the client has seen, where the body says it.
    package let version: Int64?

    /// Reads a body. Its fields are judged when it is applied, together with what stays; only the body's form and the version
    /// are judged here.
    package static func parse(body: Span<UInt8>) throws(ServiceError) -> PresetPatch {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body)
        } catch {
            throw ServiceError(error)
        }
        guard let object = value.object else {
            throw ServiceError(.invalidRequest, "The body has to be a JSON object, but is \(value.kind.name)")
        }
        return try parse(object)
    }

    /// The same for a body that is parsed already.
    package static func parse(_ object: JSONObject) throws(ServiceError) -> PresetPatch {
        var reader = FieldReader(object, ignoring: Set(object.keys))
        let version = reader.integer("version", in: 1...Int64.max)
        try reader.finish()
        var changes = object
        for name in PresetDraft.readOnly.union(["version"]) { changes[name] = nil }
        return PresetPatch(changes: changes, version: version)
    }

    /// The preset with the changes made; throws an error that names every field that is bad then.
    /// - Parameter models: what a patch may name as model. A model that stays is not judged again.
    package func applied(to preset: Preset, models: ModelPolicy) throws(ServiceError) -> PresetDraft {
        guard let params = (try? JSONValue(parsing: preset.params))?.object else {
            throw ServiceError(.internalError, cause: "the stored parameters of preset \(preset.id) are no JSON object")
        }
        var whole = JSONObject()
        whole["name"] = .string(preset.name)
        whole["prompt"] = .string(preset.prompt)
        whole["params"] = .object(params)
        let merged = whole.merged(changes)
        var kept = JSONObject()
        if merged["params"]?.object != nil {
            for member in params.members where changes["params"]?.object?[member.key] == nil { kept[member.key] = member.value }
        }
        let namesModel = changes["params"]?.object?["model"] != nil
        return try PresetDraft.parse(FieldReader(merged), models: namesModel ? models : nil, keeping: kept)
    }
}

extension JSONObject {
    /// RFC 7396, section 2, for two objects. The depth is the parser's to bound.
    func merged(_ patch: JSONObject) -> JSONObject {
        var result = self
        for member in patch.members {
            switch member.value {
            case .null: result[member.key] = nil
            case .object(let changes):
                let target = result[member.key]?.object ?? JSONObject()
                result[member.key] = .object(target.merged(changes))
            default: result[member.key] = member.value
            }
        }
        return result
    }
}
