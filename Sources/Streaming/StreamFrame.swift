import EventLoop

/// The data frames of our own streams: `data: `, one line of JSON whose `text` is a string, a blank line.
enum StreamFrame {
    /// The longest, its blank line included.
    static let limit = 16 * 1024

    private static let start: StaticString = "data: {\"text\":\""
    private static let end: StaticString = "\"}\n\n"
    private static let logprobsStart: StaticString = "\",\"logprobs\":"
    private static let logprobsEnd: StaticString = "}\n\n"
    private static let textLimit = limit - start.utf8CodeUnitCount - end.utf8CodeUnitCount
    private static let logprobsLimit =
        limit - start.utf8CodeUnitCount - logprobsStart.utf8CodeUnitCount - logprobsEnd.utf8CodeUnitCount

    /// Appends a text, which is the inside of a JSON string, as one frame or as several.
    @inline(__always)
    static func append(_ text: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<OutputBuffer>) {
        if text.count <= textLimit {
            appendOne(text, to: output)
        } else {
            appendParts(of: text, to: output)
        }
    }

    @inline(__always)
    private static func appendOne(_ text: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<OutputBuffer>) {
        output.pointee.append(text, between: start, and: end)
    }

    private static func appendParts(of text: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<OutputBuffer>) {
        var rest = text
        while !rest.isEmpty {
            let length = EscapedText.safePrefix(of: rest, limit: textLimit)
            appendOne(UnsafeBufferPointer(rebasing: rest[..<length]), to: output)
            rest = UnsafeBufferPointer(rebasing: rest[length...])
        }
    }

    /// Appends a text together with its log probabilities.
    /// - Returns: false, and appends nothing, where they do not fit one frame.
    static func append(
        _ text: UnsafeBufferPointer<UInt8>, with logprobs: LogprobLists, to output: UnsafeMutablePointer<OutputBuffer>
    ) -> Bool {
        guard text.count + logprobs.byteCount <= logprobsLimit else { return false }
        output.pointee.append(start)
        output.pointee.append(text)
        output.pointee.append(logprobsStart)
        output.pointee.append(logprobs.json)
        output.pointee.append(logprobsEnd)
        return true
    }

    /// Appends log probabilities whose text is out already: as many to a frame as fit.
    /// - Throws: where those of a single token do not fit one.
    static func append(_ entries: [LogprobEntry], to output: UnsafeMutablePointer<OutputBuffer>) throws(UpstreamFault) {
        let noText = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var lists = LogprobLists()
        for entry in entries {
            let single = LogprobLists([entry])
            guard single.byteCount <= logprobsLimit else { throw .tooLarge }
            // The brackets of both are counted, so this errs on the safe side.
            if lists.byteCount + single.byteCount > logprobsLimit {
                _ = append(noText, with: lists, to: output)
                lists = LogprobLists()
            }
            lists.append([entry])
        }
        if !lists.isEmpty { _ = append(noText, with: lists, to: output) }
    }
}
