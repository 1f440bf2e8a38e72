package import PlaygroundCore

/// How a completion ended, and what it used.
package struct CompletionOutcome: Sendable, Equatable {
    package enum Ending: Sendable, Equatable {
        /// Well: the client has all of it.
        case done
        /// Well, before its time: its owner wanted no more.
        case stopped
        /// The client was told so inside its stream.
        case failed(ServiceError)
        /// The client left, or was cut because it took nothing.
        case clientGone
    }

    package let ending: Ending
    /// What it cost, as far as is known.
    package let usage: Usage
    /// The model's name as the upstream resolved it, where it told.
    package let model: String?
    /// In the upstream's word: `stop`, `length`, `content_filter` or another.
    package let finishReason: String?
    /// The name of the upstream that was asked last; nil where none was.
    package let upstream: String?

    package init(
        ending: Ending, usage: Usage, model: String? = nil, finishReason: String? = nil, upstream: String? = nil
    ) {
        self.ending = ending
        self.usage = usage
        self.model = model
        self.finishReason = finishReason
        self.upstream = upstream
    }
}

/// A completion that was collected for an answer in one piece.
package struct CompletionResult: Sendable, Equatable {
    /// Only `done`, `stopped` or `clientGone`.
    package let outcome: CompletionOutcome
    /// The inside of a JSON string: checked, and escaped as the upstream wrote it.
    package let escapedText: [UInt8]
    /// One JSON object, the log probabilities of its tokens; nil where they were not asked for or not given.
    package let logprobs: [UInt8]?

    package init(outcome: CompletionOutcome, escapedText: [UInt8], logprobs: [UInt8]? = nil) {
        self.outcome = outcome
        self.escapedText = escapedText
        self.logprobs = logprobs
    }
}
