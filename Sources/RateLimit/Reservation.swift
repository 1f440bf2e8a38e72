package import PlaygroundCore

/// What a completion asks for before its upstream is called.
package struct ReservationRequest: Sendable {
    /// Names the reservation; a second one of the same name is refused.
    package var completionID: CompletionID
    /// Whose buckets are asked.
    package var userID: UserID
    /// The session that asks; a revoked one is refused. Nil for a token without a session.
    package var sessionID: SessionID?
    /// The prompt's estimated tokens.
    package var promptTokens: Int
    /// The tokens that all candidates together may produce.
    package var maxTokens: Int
    /// For the row in `usage`.
    package var model: String
    /// The preset the request came from, for the bill.
    package var presetID: PresetID?

    package init(
        completionID: CompletionID, userID: UserID, sessionID: SessionID?, promptTokens: Int, maxTokens: Int, model: String,
        presetID: PresetID? = nil
    ) {
        self.completionID = completionID
        self.userID = userID
        self.sessionID = sessionID
        self.promptTokens = promptTokens
        self.maxTokens = maxTokens
        self.model = model
        self.presetID = presetID
    }

    /// Tokens to reserve, clamped to one more than any bucket holds: such a request is refused all the same.
    var cost: Int64 {
        let (sum, overflow) = max(0, promptTokens).addingReportingOverflow(max(0, maxTokens))
        return overflow ? TokenBucket.highestRate + 1 : min(Int64(sum), TokenBucket.highestRate + 1)
    }
}

/// The answer to a reservation that the database has decided on.
package enum Admission: Sendable {
    /// Everything is reserved. The completion has to be settled, whatever becomes of it.
    case admitted(BucketSnapshot)
    /// Nothing is reserved. The error is one of `rate_limit_exceeded` and `concurrency_limit` (with the time to wait),
    /// `request_exceeds_plan`, `completion_id_conflict`, `session_revoked` and `token_invalid`; the last two without a snapshot.
    case refused(ServiceError, BucketSnapshot?)
}
