package import PlaygroundCore
package import StrictJSON

/// What is known of one completion: how it stands and what it has used. Never any of its text.
package struct CompletionRecord: Sendable, Equatable {
    package let id: CompletionID
    /// `running`, or a ``SettlementOutcome``.
    package var status: String
    /// As it was asked for, or as the upstream called it in the end.
    package var model: String
    package var finishReason: String?
    package let presetID: PresetID?
    package let startedAt: Timestamp
    /// Nil until the bill is written.
    package let finishedAt: Timestamp?
    package var usage: Usage
    /// Whether `usage` has the `max_tokens` that applied: bills of before it was kept have not.
    let knowsMaxTokens: Bool
    /// What it costs, an exact decimal; nil until the bill is written, and where no price was in force.
    package let cost: String?
    /// The process that holds it, until the bill is written.
    package let process: ProcessID?

    /// Puts in how it ended, which is about to be written.
    package mutating func update(_ settlement: Settlement) {
        usage = settlement.usage
        status = settlement.outcome.rawValue
        finishReason = settlement.finishReason
        model = settlement.model ?? model
    }
}

extension CompletionRecord: JSONWritable {
    /// The public form.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("status", status)
            writer.member("model", model)
            writer.member("finish_reason", finishReason)
            writer.member("preset_id", presetID)
            writer.member("started_at", startedAt)
            writer.member("finished_at", finishedAt)
            writer.member("usage") { usage.write(to: &$0, knowsMaxTokens: knowsMaxTokens) }
            writer.member("cost", cost)
        }
    }
}
