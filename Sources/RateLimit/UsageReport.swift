package import PlaygroundCore
package import StrictJSON

/// What completions have used and cost together.
package struct UsageSums: Sendable, Equatable {
    /// Completions, however they ended.
    package let requests: Int64
    package let promptTokens: Int64
    package let completionTokens: Int64
    /// Those of the prompts' that upstreams had cached.
    package let cachedTokens: Int64
    /// Those of the completions' that were thought and not said.
    package let reasoningTokens: Int64
    /// An exact decimal: of the completions for whose model a price was in force. Nil where that is none.
    package let cost: String?

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("requests", requests)
        writer.member("prompt_tokens", promptTokens)
        writer.member("completion_tokens", completionTokens)
        writer.member("cached_tokens", cachedTokens)
        writer.member("reasoning_tokens", reasoningTokens)
        writer.member("cost", cost)
    }
}

/// What one user's completions of one day, model and preset have used.
package struct UsageRow: Sendable, Equatable {
    /// Of admission.
    package let date: CalendarDate
    /// As the upstream called it, or else as it was asked for.
    package let model: String
    /// Nil for completions without one.
    package let presetID: PresetID?
    package let sums: UsageSums

    var cursor: UsageCursor { UsageCursor(date: date, model: model, presetID: presetID) }
}

extension UsageRow: JSONWritable {
    /// The public form.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("date", date)
            writer.member("model", model)
            writer.member("preset_id", presetID)
            sums.writeMembers(to: &writer)
        }
    }
}

/// One page of a user's report, the latest day first, and within a day by model and preset.
package struct UsageReport: Sendable, Equatable {
    /// As it came to be: both ends included.
    package let days: ClosedRange<CalendarDate>
    package let rows: [UsageRow]
    /// Of the whole period, whatever page this is.
    package let totals: UsageSums
    /// Where the next page begins; nil where this is the last.
    package let next: UsageCursor?
}

extension UsageReport: JSONWritable {
    /// The public form.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("from", days.lowerBound)
            writer.member("to", days.upperBound)
            writer.member("data", rows)
            writer.member("totals") { writer in writer.object { totals.writeMembers(to: &$0) } }
            writer.member("next_cursor") { writer in
                if let next { writer.string(next.description) } else { writer.null() }
            }
        }
    }
}

/// The row after which the next page of a report begins. Opaque to clients.
package struct UsageCursor: Sendable, Hashable {
    /// A model's name as it is stored: 200 scalars.
    private static let modelBytes = 800

    package let date: CalendarDate
    package let model: String
    package let presetID: PresetID?
}

extension UsageCursor: LosslessStringConvertible {
    /// Reads what `description` wrote; nil for anything else.
    package init?(_ text: String) {
        // The length comes first: a long text is not worth decoding.
        let longest = (Self.modelBytes + 20) * 4 / 3 + 4
        guard text.utf8.count <= longest, let bytes = Base64.url.decode(text.utf8), bytes.count >= 4 else { return nil }
        let word = { (start: Int, count: Int) in bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) } }
        let hasPreset = bytes[0] == 1
        let start = hasPreset ? 20 : 4
        guard bytes[0] <= 1, bytes.count >= start, bytes.count <= start + Self.modelBytes else { return nil }
        guard let model = String(validating: bytes[start...], as: UTF8.self), !model.utf8.contains(0) else { return nil }
        date = CalendarDate(number: Int(word(1, 3)))
        guard CalendarDate.range.contains(date.number) else { return nil }
        self.model = model
        presetID = hasPreset ? PresetID(UUIDBytes(high: word(4, 8), low: word(12, 8))) : nil
    }

    /// A byte that says whether there is a preset, three of the day, the preset's 16, and the model, in base64url.
    package var description: String {
        var bytes: [UInt8] = [presetID == nil ? 0 : 1]
        let append = { (word: UInt64, count: UInt64) in
            for place in 1...count { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * (count - place)))) }
        }
        append(UInt64(truncatingIfNeeded: date.number), 3)
        if let uuid = presetID?.uuid {
            append(uuid.high, 8)
            append(uuid.low, 8)
        }
        return Base64.url.encode(bytes + Array(model.utf8))
    }
}
