package import PlaygroundCore
package import StrictJSON

/// A prompt and its knobs that a user keeps under a name.
package struct Preset: Sendable, Equatable {
    package let id: PresetID
    package let name: String
    package let prompt: String
    /// The parameters as stored: a JSON object, numbers as their sender wrote them.
    package let params: String
    /// 1 when created, one more with every change.
    package let version: Int64
    /// By the database's clock.
    package let createdAt: Timestamp
    /// By the database's clock.
    package let updatedAt: Timestamp

    /// The parameters, to run a completion with. Throws `internal` where they are not what this program stores.
    package var parameters: CompletionParameters {
        get throws(ServiceError) { try CompletionParameters(stored: params) }
    }
}

extension Preset: JSONWritable {
    /// The public form: what answers carry.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("name", name)
            writer.member("prompt", prompt)
            writer.member("params") { $0.raw(params) }
            writer.member("version", version)
            writer.member("created_at", createdAt)
            writer.member("updated_at", updatedAt)
        }
    }
}
