package import EventLoop
package import PlaygroundCore
import StrictJSON

/// One completion on its way from the upstream's bytes to the client's: a pure machine, without clock or I/O.
///
/// The upstream's body goes in as it is read; what the client gets is appended to the output, whole frames only:
/// `data: {"text":"…"}` and a blank line for each text, as soon as it is there, and at the end one frame with the finish
/// reason and the usage, then `data: [DONE]`. Where log probabilities were asked for, a frame carries those of its text. Texts
/// are passed on as they are escaped; a text cannot end its frame, because it has been checked to be the inside of one JSON string.
package struct CompletionStream: ~Copyable {
    /// What the output gets.
    package enum Form: Sendable, Equatable {
        /// Frames of server-sent events.
        case frames
        /// The text alone, as the inside of a JSON string.
        case text
    }

    /// How the stream stands after the bytes in hand.
    package enum Step: Equatable {
        case goesOn
        /// The completion ended well and the output holds all of it. Further bytes are ignored.
        case done
        /// Nothing more comes of it; what the output holds is still good.
        case failed(UpstreamFault)
    }

    /// The most log probabilities that are collected, in bytes of their JSON.
    package static let collectedLogprobsLimit = 4 << 20
    /// How much may come in before the first output until the answer has to begin without one.
    package static let heldEventLimit = 64
    /// The same in bytes.
    package static let heldByteLimit = 256 * 1024

    /// Why a completion ended that its owner stopped, as the last frame says it.
    package static let stoppedReason = "stopped"

    /// How some upstreams end a generation that broke, without an error event and with `[DONE]` behind: vLLM says `abort` where
    /// its engine gave up, DeepSeek `insufficient_system_resource`.
    private static let brokenReasons = ["error", "abort", "aborted", "cancelled", "insufficient_system_resource"]
        .map { Array($0.utf8) }

    private static let lastEvent = Array("[DONE]".utf8)

    /// Set before the first bytes come.
    package var form = Form.frames
    private let promptEstimate: Int
    private var maxTokensApplied: Int
    private let asksForUsage: Bool
    /// So many events with a text are made of `max_tokens` tokens by no upstream that keeps to them, unless it cuts what it has into
    /// letters: then their texts are short. Thoughts are not counted, because not every upstream counts them.
    private var eventLimit: Int
    private var parser = ServerSentEventParser()
    private var scanner: EventScanner
    /// Only where they were asked for.
    private var logprobs: LogprobLedger?
    private var isOver = false
    /// The upstream went on far beyond `max_tokens`, and the completion was ended there.
    package private(set) var isRunaway = false
    /// What the upstream counted last.
    private var told: UpstreamUsage?
    /// Events that gave something since then, or since the start.
    private var uncounted = 0
    /// Those of them that gave a thought.
    private var uncountedThoughts = 0
    /// All events with a text, or with the log probabilities of a token that has none yet.
    private var texts = 0
    /// Of all texts together, as they were escaped.
    private var textBytes = 0
    /// Events without a text in which the model thought aloud: the tokens were generated all the same.
    private var thoughts = 0
    /// All events; comments are none.
    package private(set) var events = 0
    /// What came in while there has been no output.
    private var heldBytes = 0
    /// The inside of a JSON string; held for the last frame.
    private var escapedFinishReason: [UInt8] = []
    /// The model's name as the upstream resolved it.
    package private(set) var model: String?

    /// - Parameters:
    ///   - kind: the dialect of the upstream's events.
    ///   - promptEstimate: the prompt's tokens, until the upstream tells.
    ///   - maxTokensApplied: the `max_tokens` the upstream is asked for.
    ///   - wantsLogprobs: whether the upstream is asked for log probabilities and the client gets them.
    ///   - asksForUsage: whether the upstream is asked to tell the usage.
    package init(
        kind: UpstreamKind = .completion, promptEstimate: Int, maxTokensApplied: Int, wantsLogprobs: Bool = false,
        asksForUsage: Bool = true
    ) {
        self.promptEstimate = promptEstimate
        self.maxTokensApplied = maxTokensApplied
        eventLimit = 2 * maxTokensApplied + 64
        self.asksForUsage = asksForUsage
        scanner = EventScanner(kind: kind, wantsLogprobs: wantsLogprobs)
        logprobs = wantsLogprobs ? LogprobLedger() : nil
    }

    /// The plan has decided, before the first bytes come: `maxTokens` is what the upstream is asked for.
    mutating func grant(maxTokens: Int) {
        maxTokensApplied = maxTokens
        eventLimit = 2 * maxTokens + 64
    }

    /// Why the completion ended, in the upstream's word; nil before.
    package var finishReason: String? { escapedFinishReason.withUnsafeBufferPointer(Self.decoded) }

    /// Where the bytes lie that each event is compared with; nil where there are none.
    var repeated: UnsafeRawPointer? { scanner.repeated }

    /// Whether there has been output.
    package var hasText: Bool { texts > 0 }

    /// Whether the model has begun: with a text, or with a thought, which is not passed on.
    package var hasTokens: Bool { texts + thoughts > 0 }

    /// Whether it is known that something was generated: the model has begun, or the upstream says so.
    package var hasUse: Bool { hasTokens || told.map { $0.completionTokens > 0 } ?? false }

    /// The log probabilities that were collected beside the text, as one JSON value; nil where there are none.
    package var collectedLogprobs: [UInt8]? {
        guard let collected = logprobs?.collected, !collected.isEmpty else { return nil }
        return collected.json
    }

    /// Without any output so far, as much has come in as may be held back.
    package var isHoldFull: Bool {
        !hasText && (events >= Self.heldEventLimit || heldBytes >= Self.heldByteLimit)
    }

    /// The tokens of what was generated so far. One is counted for each event with a text or a thought; the upstream's own
    /// numbers stand in place of that as far as they reach.
    package var progress: Usage {
        // Zero for a completion that has a text is no count at all: some upstreams fill in their numbers only at the end.
        if let told, told.completionTokens > 0 || !hasTokens {
            return Usage(
                promptTokens: told.promptTokens, completionTokens: told.completionTokens + uncounted,
                cachedTokens: told.cachedTokens, reasoningTokens: told.reasoningTokens + uncountedThoughts,
                source: uncounted == 0 ? .exact : .counted, maxTokensApplied: maxTokensApplied)
        }
        return Usage(
            promptTokens: promptEstimate, completionTokens: texts + thoughts, reasoningTokens: thoughts,
            source: hasTokens ? .counted : .estimated, maxTokensApplied: maxTokensApplied)
    }

    /// Goes on with bytes of the upstream's body, cut anywhere.
    package mutating func receive(
        _ bytes: UnsafeBufferPointer<UInt8>, into output: UnsafeMutablePointer<OutputBuffer>
    ) -> Step {
        if isOver { return .done }
        if !hasText { heldBytes += bytes.count }
        var offset = 0
        do throws(UpstreamFault) {
            // Asked once more where an event was kept, so that the parser lets go of it.
            while offset < bytes.count || !parser.isBetweenEvents {
                if parser.isBetweenEvents, let text = scanner.nextText(in: bytes, from: &offset) {
                    append(text, to: output)
                } else if let event = try nextEvent(in: bytes, from: &offset) {
                    if try read(event, into: output) {
                        isOver = true
                        return .done
                    }
                } else {
                    break
                }
                events += 1
                if events > eventLimit, texts > eventLimit, textBytes > 16 * maxTokensApplied {
                    cutOff(into: output)
                    return .done
                }
            }
        } catch {
            isOver = true
            return .failed(error)
        }
        return .goesOn
    }

    /// The upstream's body has ended, properly framed.
    package mutating func end() -> Step {
        if isOver { return .done }
        isOver = true
        return .failed(.endedEarly)
    }

    /// The owner has stopped the completion: it ends well with what came so far, and with `stopped` as its finish reason.
    /// - Parameter usage: what the last frame says of it; nothing was used where nobody was asked.
    package mutating func stop(usage: Usage, into output: UnsafeMutablePointer<OutputBuffer>) {
        if isOver { return }
        isOver = true
        escapedFinishReason = Array(Self.stoppedReason.utf8)
        if form == .frames { appendEnd(usage: usage, to: output) }
    }

    /// The upstream does not keep to `max_tokens`: the completion ends here as it should have ended long before.
    private mutating func cutOff(into output: UnsafeMutablePointer<OutputBuffer>) {
        isOver = true
        isRunaway = true
        if escapedFinishReason.isEmpty { escapedFinishReason = Array("length".utf8) }
        if form == .frames { appendEnd(usage: progress, to: output) }
    }

    private mutating func nextEvent(
        in bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int
    ) throws(UpstreamFault) -> ServerSentEvent? {
        do {
            return try parser.next(in: bytes, from: &offset)
        } catch {
            throw .tooLarge
        }
    }

    /// - Returns: whether it was the last event.
    private mutating func read(
        _ event: ServerSentEvent, into output: UnsafeMutablePointer<OutputBuffer>
    ) throws(UpstreamFault) -> Bool {
        if !event.isTyped, let repetition = scanner.repetition(in: event.data) {
            if let text = repetition.text, !text.isEmpty {
                append(text, to: output)
            } else if repetition.hasReasoning {
                countThought()
            }
            if let usage = repetition.usage { take(usage) }
            return false
        }
        // Matched as a prefix, as the official clients do: no JSON text begins so.
        if event.data.first == UInt8(ascii: "["), event.data.starts(with: Self.lastEvent) {
            guard !escapedFinishReason.isEmpty, !isHollow else { throw .endedEarly }
            if form == .frames { appendEnd(usage: progress, to: output) }
            return true
        }
        if event.isTyped, parser.eventType.elementsEqual("error".utf8) {
            throw .errorEvent(UpstreamErrorReport(body: event.data.span))
        }
        let found = try scanner.scan(event.data)
        if found.tellsOfError { throw .errorEvent(UpstreamErrorReport(body: event.data.span)) }
        if model == nil, let name = found.model { model = Self.decoded(UnsafeBufferPointer(rebasing: event.data[name])) }
        if let reason = found.finishReason {
            escapedFinishReason = Array(event.data[reason])
            if Self.brokenReasons.contains(escapedFinishReason) {
                throw .errorEvent(UpstreamErrorReport())
            }
            scanner.finish()
        }
        let text = UnsafeBufferPointer(rebasing: event.data[found.text ?? 0..<0])
        if !text.isEmpty, found.finishReason == nil, !escapedFinishReason.isEmpty {
            throw .malformedEvent("a text follows the finish reason")
        }
        if let logprobs {
            try append(text, with: logprobs.take(found.logprobs, of: event.data, text: text), to: output)
        } else {
            append(text, to: output)
        }
        if text.isEmpty, found.reasoning != nil { countThought() }
        if let usage = found.usage { take(usage) }
        return false
    }

    /// A completion that ended of itself without a text, a thought or the usage that was asked for. A model that had nothing to
    /// say has read its prompt all the same; proxies make this of an upstream that broke off before it said anything.
    private var isHollow: Bool {
        asksForUsage && !hasTokens && escapedFinishReason.elementsEqual("stop".utf8)
            && told.map { $0.promptTokens + $0.completionTokens == 0 } ?? true
    }

    private mutating func take(_ usage: UpstreamUsage) {
        // More than was asked for, thoughts included, was not made: a proxy may have counted with a tokenizer of its own.
        guard usage.completionTokens <= maxTokensApplied else { return }
        told = usage
        uncounted = 0
        uncountedThoughts = 0
    }

    private mutating func countThought() {
        thoughts += 1
        uncounted += 1
        uncountedThoughts += 1
    }

    @inline(__always)
    private mutating func append(_ text: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<OutputBuffer>) {
        if text.isEmpty { return }
        texts += 1
        textBytes += text.count
        uncounted += 1
        if form == .frames {
            StreamFrame.append(text, to: output)
        } else {
            output.pointee.append(text)
        }
    }

    /// The same for a text with log probabilities; either may be empty. Where there are some, a token was generated.
    private mutating func append(
        _ text: UnsafeBufferPointer<UInt8>, with entries: [LogprobEntry], to output: UnsafeMutablePointer<OutputBuffer>
    ) throws(UpstreamFault) {
        if entries.isEmpty { return append(text, to: output) }
        texts += 1
        uncounted += 1
        if form == .text, let logprobs {
            logprobs.collected.append(entries)
            guard logprobs.collected.byteCount <= Self.collectedLogprobsLimit else { throw .tooLarge }
            output.pointee.append(text)
        } else if !StreamFrame.append(text, with: LogprobLists(entries), to: output) {
            if !text.isEmpty { StreamFrame.append(text, to: output) }
            try StreamFrame.append(entries, to: output)
        }
    }

    private func appendEnd(usage: Usage, to output: UnsafeMutablePointer<OutputBuffer>) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("text", "")
            writer.member("finish_reason") { $0.string(escaped: escapedFinishReason.span) }
            writer.member("usage") { usage.write(to: &$0) }
        }
        output.pointee.append("data: ")
        output.pointee.append(writer.bytes)
        output.pointee.append("\n\ndata: [DONE]\n\n")
    }

    private static func decoded(_ escaped: UnsafeBufferPointer<UInt8>) -> String? {
        if escaped.isEmpty { return nil }
        // Nearly always; it has been checked to be the inside of a string.
        if !escaped.contains(UInt8(ascii: "\\")) { return String(decoding: escaped, as: UTF8.self) }
        let quote = [UInt8(ascii: "\"")]
        return (try? JSONValue(parsing: quote + escaped + quote))?.string
    }
}
