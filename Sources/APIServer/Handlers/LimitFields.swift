import EventLoop
import HTTPCore
import HTTPServer
import RateLimit

// How an answer tells what is left of its user's buckets: the fields that OpenAI's clients know.

extension RequestContext {
    /// Puts the buckets' state into the answer, whatever it becomes.
    func tell(_ snapshot: BucketSnapshot) { request.responseFields.append(snapshot) }
}

extension ResponseFields {
    fileprivate mutating func append(_ snapshot: BucketSnapshot) {
        if let requests = snapshot.requests {
            append(.limitRequests, requests.limit)
            append(.remainingRequests, requests.remaining)
            append(.resetRequests, requests.reset.clockText)
        }
        if let tokens = snapshot.tokens {
            append(.limitTokens, tokens.limit)
            append(.remainingTokens, tokens.remaining)
            append(.resetTokens, tokens.reset.clockText)
        }
    }
}

extension Duration {
    /// As OpenAI's rate fields write durations: `20ms`, `1s`, `1.5s`, `6m0s`.
    var clockText: String {
        let milliseconds = max(0, wholeMilliseconds)
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        let fraction = milliseconds % 1000
        var text = "\(seconds % 60)"
        if fraction > 0 {
            var digits = String(fraction + 1000).dropFirst()
            while digits.last == "0" { digits = digits.dropLast() }
            text += ".\(digits)"
        }
        text += "s"
        if seconds >= 60 { text = "\(seconds / 60 % 60)m" + text }
        if seconds >= 3600 { text = "\(seconds / 3600)h" + text }
        return text
    }
}
