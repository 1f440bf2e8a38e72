import Glibc
import StrictJSON

/// What an upstream repeats from event to event, and where in it the events differ.
///
/// Upstreams write the same bytes around the text of each event. Of an event that was read through, those bytes are kept;
/// where another one has them too, and in each gap between them what may stand there, reading it through could only find
/// what the gaps hold, so the rest is spared. Mostly the one gap is the text; usage in every event makes gaps of its numbers.
struct EventEnvelope {
    /// More is not remembered: it would cost every open stream this much memory.
    static let limit = 512

    /// What the gaps of an event hold.
    struct Repetition {
        /// As ``UpstreamEvent/text``.
        var text: UnsafeBufferPointer<UInt8>?
        /// Whether the model thought aloud.
        var hasReasoning = false
        var usage: UpstreamUsage?
    }

    private enum Filling: UInt8 {
        case text, reasoning, padding, completionTokens, otherTokens
    }

    /// A gap before the byte at `offset` of `known`.
    private struct Gap {
        let offset: UInt16
        let filling: Filling
    }

    /// The bytes around the gaps, quotes included.
    private var known: [UInt8] = []
    /// How many there are, while a text is the only gap; else 0.
    private var plainLength = 0
    /// How many of them stand before that text.
    private var prefixLength = 0
    /// In their order; empty while a text is the only one.
    private var gaps: [Gap] = []
    /// Stands in the known bytes, where the numbers of tokens are gaps.
    private var promptTokens = 0

    /// The text of an event that differs in nothing else; nil where it has to be looked at more closely.
    @inline(__always)
    func onlyText(in event: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        let total = plainLength
        guard total > 0, event.count >= total, let base = event.baseAddress else { return nil }
        let (prefix, suffix) = (prefixLength, total - prefixLength)
        let matches = known.withUnsafeBufferPointer { known in
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

    /// What an event holds whose bytes are known but for several gaps; nil for any other.
    func repetition(in event: UnsafeBufferPointer<UInt8>) -> Repetition? {
        guard !gaps.isEmpty, event.count >= known.count, let base = event.baseAddress else { return nil }
        return known.withUnsafeBufferPointer { known in
            guard let known = known.baseAddress else { return nil }
            var found = Repetition()
            var offset = 0
            var place = 0
            for gap in gaps {
                let length = Int(gap.offset) - offset
                guard place + length < event.count, memcmp(known + offset, base + place, length) == 0 else { return nil }
                offset += length
                place += length
                switch gap.filling {
                case .completionTokens, .otherTokens:
                    guard let number = Self.number(in: event, at: &place) else { return nil }
                    if gap.filling == .completionTokens {
                        found.usage = UpstreamUsage(promptTokens: promptTokens, completionTokens: number)
                    }
                case .text, .reasoning, .padding:
                    // From the opening quote on, which is known.
                    let rest = UnsafeBufferPointer(start: base + (place - 1), count: event.count - place + 1)
                    var scanner = JSONScanner(rest.span)
                    guard let token = try? scanner.string() else { return nil }
                    if gap.filling == .text {
                        let text = UnsafeBufferPointer(start: base + place, count: token.range.count)
                        if token.isEscaped, EscapedText.hasLoneSurrogate(text) { return nil }
                        found.text = text
                    } else if gap.filling == .reasoning, !token.range.isEmpty {
                        found.hasReasoning = true
                    }
                    place += token.range.count
                }
            }
            let length = self.known.count - offset
            guard event.count - place == length, memcmp(known + offset, base + place, length) == 0 else { return nil }
            return found
        }
    }

    /// A number of tokens as it is mostly written, up to ``UpstreamUsage/limit``.
    private static func number(in event: UnsafeBufferPointer<UInt8>, at place: inout Int) -> Int? {
        let start = place
        var value = 0
        while place < event.count, case let digit = event[place] &- UInt8(ascii: "0"), digit < 10 {
            value = value * 10 + Int(digit)
            place += 1
            guard value <= UpstreamUsage.limit else { return nil }
        }
        // JSON has no leading zeros.
        guard place > start, place == start + 1 || event[start] != UInt8(ascii: "0") else { return nil }
        return value
    }

    /// Keeps the bytes of an event that was read through, if more like it may come.
    mutating func remember(_ event: UpstreamEvent, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard event.finishReason == nil, event.error == nil else { return }
        if let text = event.text, event.reasoning == nil, event.usage == nil, event.padding == nil {
            guard bytes.count - text.count <= Self.limit else { return }
            gaps.removeAll()
            startOver(length: bytes.count - text.count)
            known.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[..<text.lowerBound]))
            known.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[text.upperBound...]))
            prefixLength = text.lowerBound
            plainLength = known.count
        } else if event.text != nil || event.reasoning != nil {
            rememberGaps(event, bytes)
        }
    }

    private mutating func rememberGaps(_ event: UpstreamEvent, _ bytes: UnsafeBufferPointer<UInt8>) {
        var places: [(range: Range<Int>, filling: Filling)] = []
        if let text = event.text { places.append((text, .text)) }
        if let reasoning = event.reasoning { places.append((reasoning, .reasoning)) }
        if let padding = event.padding { places.append((padding, .padding)) }
        if event.usage != nil {
            if let number = event.figures.completionTokens { places.append((number, .completionTokens)) }
            if let number = event.figures.totalTokens { places.append((number, .otherTokens)) }
        }
        let length = bytes.count - places.reduce(0) { $0 + $1.range.count }
        guard length <= Self.limit else { return }
        places.sort { $0.range.lowerBound < $1.range.lowerBound }
        startOver(length: length)
        plainLength = 0
        promptTokens = event.usage?.promptTokens ?? 0
        gaps.removeAll(keepingCapacity: true)
        gaps.reserveCapacity(places.count)
        var start = 0
        for place in places {
            known.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<place.range.lowerBound]))
            gaps.append(Gap(offset: UInt16(known.count), filling: place.filling))
            start = place.range.upperBound
        }
        known.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start...]))
    }

    private mutating func startOver(length: Int) {
        known.removeAll(keepingCapacity: true)
        known.reserveCapacity(length)
    }
}
