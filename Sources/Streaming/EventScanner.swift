import StrictJSON

/// Finds in the upstream's events what a stream needs, and checks that they are what the contract of their dialect says.
///
/// It remembers what the events have in common (``EventEnvelope``), and reads through only those that are not the last one
/// over again.
struct EventScanner {
    /// The longest model name, in bytes; a longer one is passed over.
    static let modelLimit = 200

    private let kind: UpstreamKind
    /// Whether every event is read through for its log probabilities.
    private let wantsLogprobs: Bool
    private var envelope = EventEnvelope()
    /// Where the bytes lie that are repeated; nil where nothing is remembered.
    var repeated: UnsafeRawPointer? { envelope.address }
    private var isFinishing = false

    init(kind: UpstreamKind = .completion, wantsLogprobs: Bool = false) {
        self.kind = kind
        self.wantsLogprobs = wantsLogprobs
    }

    /// Takes the next event of a stream where it is the last one over again but for its text; nil for any other.
    @inline(__always)
    func nextText(in bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int) -> UnsafeBufferPointer<UInt8>? {
        envelope.nextText(in: bytes, from: &offset)
    }

    /// What is new in an event that is the last one over again but for its text, numbers of tokens, or what is not passed on.
    func repetition(in event: UnsafeBufferPointer<UInt8>) -> EventEnvelope.Repetition? {
        if let text = envelope.onlyText(in: event) { return EventEnvelope.Repetition(text: text) }
        return envelope.repetition(in: event)
    }

    /// Reads an event through.
    mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) throws(UpstreamFault) -> UpstreamEvent {
        let event: UpstreamEvent
        do {
            event = try read(bytes)
        } catch {
            throw .malformedEvent(error.description)
        }
        // What is passed on.
        guard Self.isUnicode(event.text, bytes), Self.isUnicode(event.finishReason, bytes) else {
            throw .malformedEvent("a string holds half a surrogate pair")
        }
        if !wantsLogprobs, !isFinishing { envelope.remember(event, bytes) }
        return event
    }

    /// The completion has its finish reason: whatever follows is looked at closely.
    mutating func finish() {
        isFinishing = true
        envelope = EventEnvelope()
    }

    private static func isUnicode(_ string: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let string else { return true }
        return !EscapedText.hasLoneSurrogate(UnsafeBufferPointer(rebasing: bytes[string]))
    }
}

extension EventScanner {
    private func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(EventMisfit) -> UpstreamEvent {
        var event = UpstreamEvent()
        var hasChoices = false
        do {
            var scanner = JSONScanner(bytes.span)
            try scanner.enterObject()
            while let key = try scanner.nextKey() {
                switch key.range.count {
                case 7 where scanner.matches(key, "choices"):
                    if hasChoices { throw EventMisfit.shape("choices stand twice in an event") }
                    hasChoices = true
                    try readChoices(&scanner, bytes, into: &event)
                case 5 where scanner.matches(key, "usage"):
                    event.usage = try UpstreamUsage(taking: &scanner, of: bytes, figures: &event.figures)
                case 5 where scanner.matches(key, "error"):
                    if try scanner.kind() != .null { event.tellsOfError = true }
                    try scanner.skipValue()
                case 5 where scanner.matches(key, "model"):
                    if let name = try Self.string(&scanner), 1...Self.modelLimit ~= name.range.count { event.model = name.range }
                case 6 where scanner.matches(key, "object"):
                    // vLLM's form of an error has its members at the top.
                    if let object = try Self.string(&scanner), scanner.matches(object, "error") { event.tellsOfError = true }
                case 11 where scanner.matches(key, "obfuscation"): event.padding = try Self.string(&scanner)?.range
                default: try scanner.skipValue()
                }
            }
            try scanner.finish()
        } catch let error as JSONError {
            throw .json(error)
        } catch let misfit as EventMisfit {
            throw misfit
        } catch {
            throw .shape("unreadable")
        }
        return event
    }

    private func readChoices(
        _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>, into event: inout UpstreamEvent
    ) throws {
        guard try scanner.kind() == .array else { throw EventMisfit.shape("choices are no array") }
        try scanner.enterArray()
        var found = false
        while try scanner.nextElement() {
            let choice = try UpstreamChoice(taking: &scanner, of: bytes, kind: kind, wantsLogprobs: wantsLogprobs)
            guard choice.index == 0 else { continue }
            if found { throw EventMisfit.shape("the same choice stands twice in an event") }
            found = true
            event.text = choice.text
            event.reasoning = choice.reasoning
            event.finishReason = choice.finishReason
            event.logprobs = choice.logprobs
        }
    }

    /// A string, or nil for a value of another kind.
    private static func string(_ scanner: inout JSONScanner) throws(JSONError) -> JSONStringToken? {
        if try scanner.kind() == .string { return try scanner.string() }
        try scanner.skipValue()
        return nil
    }
}
