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
        case text, reasoning, padding, completionTokens, reasoningTokens, otherTokens
    }

    /// A gap before the byte at `offset` of `known`.
    private struct Gap {
        let offset: UInt16
        let filling: Filling
    }

    private static let lineStart: StaticString = "data: "
    private static let lineEnd: StaticString = "\n\n"

    /// The bytes around the gaps, quotes included; while a text is the only gap also those that make an event of them.
    private var known: [UInt8] = []
    /// How many there are, while a text is the only gap; else 0.
    private var plainLength = 0
    /// How many of them stand before that text.
    private var prefixLength = 0
    /// In their order; empty while a text is the only one.
    private var gaps: [Gap] = []
    /// Stands in the known bytes, where the numbers of tokens are gaps.
    private var promptTokens = 0
    /// As `promptTokens`.
    private var cachedTokens = 0

    /// Where the known bytes lie, as a hint; nil where there are none.
    var address: UnsafeRawPointer? { known.isEmpty ? nil : known.withUnsafeBytes { $0.baseAddress } }

    /// The text of the event that begins at `offset` of a stream, where it differs in nothing else and lies there whole; nil
    /// where the event has to be taken out of the stream and looked at more closely.
    /// - Parameter offset: moved past the event.
    @inline(__always)
    func nextText(in bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int) -> UnsafeBufferPointer<UInt8>? {
        let total = plainLength
        let rest = bytes.count - offset
        guard total > 0, rest >= total, let base = bytes.baseAddress else { return nil }
        let (start, prefix) = (base + offset, prefixLength)
        let text: UnsafeBufferPointer<UInt8>? = known.withUnsafeBufferPointer { known in
            // Both parts are never empty: each holds a quote.
            guard let known = known.baseAddress, memcmp(known, start, prefix) == 0 else { return nil }
            guard let text = Self.text(from: start + (prefix - 1), count: rest - prefix + 1) else { return nil }
            // A larger event is the parser's to refuse.
            guard text.count <= min(rest - total, ServerSentEventParser.eventLimit - total),
                memcmp(known + prefix, start + prefix + text.count, total - prefix) == 0
            else { return nil }
            return text
        }
        if let text { offset += total + text.count }
        return text
    }

    /// The same for the data of an event that was taken out of its stream.
    func onlyText(in event: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        let (lineStart, lineEnd) = (Self.lineStart.utf8CodeUnitCount, Self.lineEnd.utf8CodeUnitCount)
        let total = plainLength - lineStart - lineEnd
        guard total > 0, event.count >= total, let base = event.baseAddress else { return nil }
        let prefix = prefixLength - lineStart
        return known.withUnsafeBufferPointer { known in
            guard let known = known.baseAddress, memcmp(known + lineStart, base, prefix) == 0,
                let text = Self.text(from: base + (prefix - 1), count: event.count - prefix + 1),
                text.count == event.count - total,
                memcmp(known + prefixLength, base + prefix + text.count, total - prefix) == 0
            else { return nil }
            return text
        }
    }

    /// The inside of the JSON string whose opening quote is the first of `count` bytes; nil where it is none that is passed on.
    @inline(__always)
    private static func text(from quote: UnsafePointer<UInt8>, count: Int) -> UnsafeBufferPointer<UInt8>? {
        var scanner = JSONScanner(UnsafeBufferPointer(start: quote, count: count).span)
        guard let token = try? scanner.string() else { return nil }
        let text = UnsafeBufferPointer(start: quote + 1, count: token.range.count)
        return token.isEscaped && EscapedText.hasLoneSurrogate(text) ? nil : text
    }

    /// What an event holds whose bytes are known but for several gaps; nil for any other.
    func repetition(in event: UnsafeBufferPointer<UInt8>) -> Repetition? {
        guard !gaps.isEmpty, event.count >= known.count, let base = event.baseAddress else { return nil }
        return known.withUnsafeBufferPointer { known in
            guard let known = known.baseAddress else { return nil }
            var found = Repetition()
            var offset = 0
            var place = 0
            var (completionTokens, reasoningTokens): (Int?, Int) = (nil, 0)
            for gap in gaps {
                let length = Int(gap.offset) - offset
                guard place + length < event.count, memcmp(known + offset, base + place, length) == 0 else { return nil }
                offset += length
                place += length
                switch gap.filling {
                case .completionTokens, .reasoningTokens, .otherTokens:
                    guard let number = Self.number(in: event, at: &place) else { return nil }
                    if gap.filling == .completionTokens { completionTokens = number }
                    if gap.filling == .reasoningTokens { reasoningTokens = number }
                case .text, .reasoning, .padding:
                    // From the opening quote on, which is known.
                    guard let text = Self.text(from: base + (place - 1), count: event.count - place + 1) else { return nil }
                    if gap.filling == .text { found.text = text }
                    if gap.filling == .reasoning { found.hasReasoning = !text.isEmpty }
                    place += text.count
                }
            }
            let length = self.known.count - offset
            guard event.count - place == length, memcmp(known + offset, base + place, length) == 0 else { return nil }
            if let completionTokens {
                found.usage = UpstreamUsage(
                    promptTokens: promptTokens, completionTokens: completionTokens, cachedTokens: cachedTokens,
                    reasoningTokens: reasoningTokens)
            }
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
        guard event.finishReason == nil, !event.tellsOfError else { return }
        if let text = event.text, event.reasoning == nil, event.usage == nil, event.padding == nil {
            guard bytes.count - text.count <= Self.limit else { return }
            gaps.removeAll()
            let (lineStart, lineEnd) = (Self.lineStart.utf8CodeUnitCount, Self.lineEnd.utf8CodeUnitCount)
            prefixLength = lineStart + text.lowerBound
            plainLength = bytes.count - text.count + lineStart + lineEnd
            known.removeAll(keepingCapacity: true)
            known.append(addingCapacity: plainLength) { known in
                known.append(UnsafeBufferPointer(start: Self.lineStart.utf8Start, count: lineStart))
                known.append(UnsafeBufferPointer(rebasing: bytes[..<text.lowerBound]))
                known.append(UnsafeBufferPointer(rebasing: bytes[text.upperBound...]))
                known.append(UnsafeBufferPointer(start: Self.lineEnd.utf8Start, count: lineEnd))
            }
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
            if let number = event.figures.reasoningTokens { places.append((number, .reasoningTokens)) }
            if let number = event.figures.totalTokens { places.append((number, .otherTokens)) }
        }
        let length = bytes.count - places.reduce(0) { $0 + $1.range.count }
        guard length <= Self.limit else { return }
        places.sort { $0.range.lowerBound < $1.range.lowerBound }
        known.removeAll(keepingCapacity: true)
        known.reserveCapacity(length)
        plainLength = 0
        promptTokens = event.usage?.promptTokens ?? 0
        cachedTokens = event.usage?.cachedTokens ?? 0
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
}

extension OutputSpan<UInt8> {
    @inline(__always) @_lifetime(self: copy self)
    fileprivate mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        withUnsafeMutableBufferPointer { room, count in
            count = room[count...].initialize(fromContentsOf: bytes)
        }
    }
}
