import HTTPTypes

/// What the scan of a target noticed on its way, and the judgement of the whole target at its end.
struct TargetMark: Sendable {
    /// Offset of the first `?`.
    var question: Int?
    /// Brackets belong to an IPv6 authority only.
    var hasBracket = false

    /// The target in `whole`, whose bytes and escapes were judged one by one.
    func target(
        _ whole: ByteRange, _ method: HTTPRequest.Method, _ bytes: Span<UInt8>
    ) throws(HTTPParseError) -> RequestTarget {
        guard !whole.isEmpty else { throw .invalidTarget }
        let end = Int(whole.end)
        let query = question.map { ByteRange($0 + 1, end) }
        switch bytes[Int(whole.start)] {
        case 0x2f:
            guard !hasBracket else { throw .invalidTarget }
            return RequestTarget(form: .origin, whole: whole, path: ByteRange(Int(whole.start), question ?? end), query: query)
        case 0x2a:
            guard whole.count == 1, method == .options else { throw .invalidTarget }
            return RequestTarget(form: .asterisk, whole: whole, path: ByteRange(end, end))
        default:
            return try absolute(whole, query, bytes)
        }
    }

    /// `http://authority/path?query`; the scheme https too, for what a proxy in front has unwrapped.
    private func absolute(
        _ whole: ByteRange, _ query: ByteRange?, _ bytes: Span<UInt8>
    ) throws(HTTPParseError) -> RequestTarget {
        var start = Int(whole.start)
        if whole.count > 7, bytes.matchesLowercased("http://", at: start) {
            start += 7
        } else if whole.count > 8, bytes.matchesLowercased("https://", at: start) {
            start += 8
        } else {
            throw .invalidTarget
        }
        let beforeQuery = question ?? Int(whole.end)
        guard start <= beforeQuery else { throw .invalidTarget }
        let slash = bytes.firstIndex(of: 0x2f, from: start, to: beforeQuery) ?? beforeQuery
        let authority = ByteRange(start, slash)
        guard Authority.isValid(authority, in: bytes) else { throw .hostInvalid }
        if hasBracket {
            for index in slash..<Int(whole.end) where bytes[index] == 0x5b || bytes[index] == 0x5d { throw .invalidTarget }
        }
        return RequestTarget(
            form: .absolute, whole: whole, path: ByteRange(slash, beforeQuery), query: query, authority: authority)
    }
}
