import StrictJSON

/// Log probabilities in the form in which they are given out: four lists, an element a token in each, kept as JSON.
struct LogprobLists {
    private static let frame = #"{"tokens":[],"token_logprobs":[],"top_logprobs":[],"text_offset":[]}"#.utf8.count

    private var tokens: [UInt8] = []
    private var logprobs: [UInt8] = []
    private var alternatives: [UInt8] = []
    private var offsets: [UInt8] = []

    init() {}

    init(_ entries: [LogprobEntry]) { append(entries) }

    var isEmpty: Bool { tokens.isEmpty }

    /// The length of `json`.
    var byteCount: Int { Self.frame + tokens.count + logprobs.count + alternatives.count + offsets.count }

    mutating func append(_ entries: [LogprobEntry]) {
        for entry in entries {
            Self.append(JSONValue.string(entry.token), to: &tokens)
            Self.append(entry.logprob.map(JSONValue.number) ?? .null, to: &logprobs)
            Self.append(entry.alternatives.map(JSONValue.object) ?? .null, to: &alternatives)
            Self.append(JSONValue.number(JSONNumber(entry.offset)), to: &offsets)
        }
    }

    private static func append(_ value: JSONValue, to list: inout [UInt8]) {
        if !list.isEmpty { list.append(UInt8(ascii: ",")) }
        list.append(contentsOf: value.jsonBytes)
    }

    /// One JSON object in one line.
    var json: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        bytes.append(contentsOf: #"{"tokens":["#.utf8)
        bytes.append(contentsOf: tokens)
        bytes.append(contentsOf: #"],"token_logprobs":["#.utf8)
        bytes.append(contentsOf: logprobs)
        bytes.append(contentsOf: #"],"top_logprobs":["#.utf8)
        bytes.append(contentsOf: alternatives)
        bytes.append(contentsOf: #"],"text_offset":["#.utf8)
        bytes.append(contentsOf: offsets)
        bytes.append(contentsOf: "]}".utf8)
        return bytes
    }
}

/// What a stream keeps about log probabilities. A class of its own so that streams without them do not carry its room.
final class LogprobLedger {
    /// Those of a completion that is answered in one piece.
    var collected = LogprobLists()
    /// Unicode scalars in the texts so far.
    private var textLength = 0

    /// Reads those of one event.
    /// - Parameters:
    ///   - place: where they stand in `event`; nil where it has none.
    ///   - text: the inside of the JSON string that is the event's text.
    func take(
        _ place: Range<Int>?, of event: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>
    ) throws(UpstreamFault) -> [LogprobEntry] {
        defer { textLength += EscapedText.scalarCount(text) }
        guard let place else { return [] }
        let json = UnsafeBufferPointer(rebasing: event[place])
        return try LogprobEntry.entries(of: json.span, startingAt: textLength)
    }
}
