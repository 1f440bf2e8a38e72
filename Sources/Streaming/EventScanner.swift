import Glibc
import StrictJSON

/// Finds in the upstream's events what a stream needs, and checks that they are what the completions contract says.
///
/// Upstreams repeat the same bytes around the text from event to event. The scanner remembers those of the last event
/// it has read through: where an event begins and ends with them and one JSON string's inside stands in between, reading
/// it through could only find that text, so the rest is spared.
struct EventScanner {
    /// A longer envelope is not remembered: it would cost every open stream this much memory.
    static let envelopeLimit = 512
    /// The longest finish reason, in bytes.
    static let finishReasonLimit = 64
    /// The longest model name, in bytes; a longer one is passed over.
    static let modelLimit = 200

    /// What stood before the text and, from `prefixLength` on, after it, its quotes included; empty while none is known.
    private var envelope: [UInt8] = []
    private var prefixLength = 0

    init() {}

    /// The text of an event that is the last one over again but for its text; nil where it has to be read through.
    @inline(__always)
    func repeatedText(in event: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        let total = envelope.count
        guard total > 0, event.count >= total, let base = event.baseAddress else { return nil }
        let (prefix, suffix) = (prefixLength, total - prefixLength)
        let matches = envelope.withUnsafeBufferPointer { known in
            // Both parts are never empty: each holds a quote.
            guard let known = known.baseAddress else { return false }
            return memcmp(known, base, prefix) == 0
                && memcmp(known + prefix, base + (event.count - suffix), suffix) == 0
        }
        guard matches else { return nil }
        let text = UnsafeBufferPointer(start: base + prefix, count: event.count - total)
        // From the opening quote on, to the event's end: the string has to end where the known bytes begin again.
        var scanner = JSONScanner(UnsafeBufferPointer(start: base + (prefix - 1), count: event.count - prefix + 1).span)
        guard let token = try? scanner.string(), token.range.count == text.count else { return nil }
        if token.isEscaped, EscapedText.hasLoneSurrogate(text) { return nil }
        return text
    }

    /// Reads an event through.
    mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) throws(UpstreamFault) -> UpstreamEvent {
        let event: UpstreamEvent
        do {
            event = try Self.read(bytes)
        } catch {
            throw .malformedEvent(error.description)
        }
        // What is passed on.
        guard Self.isUnicode(event.text, bytes), Self.isUnicode(event.finishReason, bytes) else {
            throw .malformedEvent("a string holds half a surrogate pair")
        }
        remember(event, bytes)
        return event
    }

    private static func isUnicode(_ string: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let string else { return true }
        return !EscapedText.hasLoneSurrogate(UnsafeBufferPointer(rebasing: bytes[string]))
    }

    private mutating func remember(_ event: UpstreamEvent, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard let text = event.text, event.finishReason == nil, event.usage == nil, event.error == nil,
            bytes.count - text.count <= Self.envelopeLimit
        else { return }
        envelope.removeAll(keepingCapacity: true)
        envelope.reserveCapacity(bytes.count - text.count)
        envelope.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[..<text.lowerBound]))
        envelope.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[text.upperBound...]))
        prefixLength = text.lowerBound
    }
}

extension EventScanner {
    /// Why an event is not what the contract says.
    private enum Misfit: Error {
        case json(JSONError)
        case shape(StaticString)

        var description: String {
            switch self {
            case .json(let error): error.description
            case .shape(let phrase): phrase.description
            }
        }
    }

    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(Misfit) -> UpstreamEvent {
        var event = UpstreamEvent()
        var hasChoices = false
        var tellsOfError = false
        do {
            var scanner = JSONScanner(bytes.span)
            try scanner.enterObject()
            while let key = try scanner.nextKey() {
                switch key.range.count {
                case 7 where scanner.matches(key, "choices"):
                    if hasChoices { throw Misfit.shape("choices stand twice in an event") }
                    hasChoices = true
                    try readChoices(&scanner, bytes, into: &event)
                case 5 where scanner.matches(key, "usage"): event.usage = try UpstreamUsage(taking: &scanner, of: bytes)
                case 5 where scanner.matches(key, "error"):
                    if try scanner.kind() != .null { tellsOfError = true }
                    try scanner.skipValue()
                case 5 where scanner.matches(key, "model"):
                    guard try scanner.kind() == .string else {
                        try scanner.skipValue()
                        continue
                    }
                    let name = try scanner.string()
                    if 1...modelLimit ~= name.range.count { event.model = name.range }
                case 6 where scanner.matches(key, "object"):
                    guard try scanner.kind() == .string else {
                        try scanner.skipValue()
                        continue
                    }
                    // vLLM's form of an error has its members at the top.
                    if scanner.matches(try scanner.string(), "error") { tellsOfError = true }
                default: try scanner.skipValue()
                }
            }
            try scanner.finish()
        } catch let error as JSONError {
            throw .json(error)
        } catch let misfit as Misfit {
            throw misfit
        } catch {
            throw .shape("unreadable")
        }
        if tellsOfError { event.error = UpstreamErrorReport(body: bytes.span) }
        return event
    }

    private static func readChoices(
        _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>, into event: inout UpstreamEvent
    ) throws {
        guard try scanner.kind() == .array else { throw Misfit.shape("choices are no array") }
        try scanner.enterArray()
        var found = false
        while try scanner.nextElement() {
            guard try scanner.kind() == .object else { throw Misfit.shape("a choice is no object") }
            let choice = try readChoice(&scanner, bytes)
            guard choice.index == 0 else { continue }
            if found { throw Misfit.shape("the same choice stands twice in an event") }
            found = true
            event.text = choice.text
            event.finishReason = choice.finishReason
        }
    }

    private static func readChoice(
        _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws -> (index: Int64, text: Range<Int>?, finishReason: Range<Int>?) {
        var index: Int64?
        var text: Range<Int>?
        var finishReason: Range<Int>?
        var hasText = false
        var hasFinishReason = false
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            switch key.range.count {
            case 4 where scanner.matches(key, "text"):
                if hasText { throw Misfit.shape("a choice has two texts") }
                hasText = true
                text = try stringOrNull(&scanner, orElse: "a text is no string")
            case 13 where scanner.matches(key, "finish_reason"):
                if hasFinishReason { throw Misfit.shape("a choice has two finish reasons") }
                hasFinishReason = true
                let reason = try stringOrNull(&scanner, orElse: "a finish reason is no string")
                if let reason, reason.count > finishReasonLimit { throw Misfit.shape("a finish reason is too long") }
                // Some upstreams write the empty string where others write null.
                finishReason = reason.flatMap { $0.isEmpty ? nil : $0 }
            case 5 where scanner.matches(key, "index"):
                guard index == nil, try scanner.kind() == .number, let value = integer(bytes[try scanner.number()]) else {
                    throw Misfit.shape("a choice's index is not one integer")
                }
                index = value
            default: try scanner.skipValue()
            }
        }
        guard hasText else { throw Misfit.shape("a choice has no text") }
        return (index ?? 0, text, finishReason)
    }

    /// The value of a checked number literal that is written in digits and fits.
    static func integer(_ literal: Slice<UnsafeBufferPointer<UInt8>>) -> Int64? {
        Int64(String(decoding: literal, as: UTF8.self))
    }

    private static func stringOrNull(_ scanner: inout JSONScanner, orElse phrase: StaticString) throws -> Range<Int>? {
        switch try scanner.kind() {
        case .string: return try scanner.string().range
        case .null:
            try scanner.null()
            return nil
        default: throw Misfit.shape(phrase)
        }
    }
}
