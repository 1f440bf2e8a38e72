package import PlaygroundCore

/// How an admitted completion ended, for the bill.
package enum SettlementOutcome: String, Sendable, CaseIterable {
    /// The upstream finished.
    case done
    /// The owner ended it through the stop endpoint.
    case stopped
    /// The upstream or this server failed.
    case failed
    /// The client closed its connection.
    case clientGone = "client_gone"
    /// The process that ran it died: another one settled what was known to be spent.
    case processLost = "process_lost"
}

/// What an admitted completion really cost.
package struct Settlement: Sendable {
    package var completionID: CompletionID
    /// The attempt that was admitted; nil for whichever there is.
    package var attempt: UUIDBytes?
    /// Who may be waiting for the slot that it frees; nil where nobody is.
    package var awaitedBy: UserID?
    /// Zero tokens where the upstream was never asked.
    package var usage: Usage
    package var outcome: SettlementOutcome
    /// As the upstream said; nil where it said none.
    package var finishReason: String?
    /// The model that answered, where it is another than the one asked for.
    package var model: String?
    /// The name of the upstream that was asked last; nil where none was.
    package var upstream: String?

    package init(
        completionID: CompletionID, attempt: UUIDBytes? = nil, awaitedBy: UserID? = nil, usage: Usage, outcome: SettlementOutcome,
        finishReason: String? = nil, model: String? = nil, upstream: String? = nil
    ) {
        self.completionID = completionID
        self.attempt = attempt
        self.awaitedBy = awaitedBy
        self.usage = usage
        self.outcome = outcome
        self.finishReason = finishReason
        self.model = model
        self.upstream = upstream
    }
}
