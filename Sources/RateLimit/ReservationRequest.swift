package import PlaygroundCore

/// What a completion asks for before its upstream is called.
package struct ReservationRequest: Sendable {
    /// Names the reservation; a second one of the same name is refused.
    package var completionID: CompletionID
    /// The id was made for this request alone and nobody else has it: it is not looked for among those that are taken.
    package var isNew: Bool
    /// Tells this attempt to be admitted from others under the same id.
    package var attempt: UUIDBytes
    /// Whose buckets are asked.
    package var userID: UserID
    /// The session that asks; a revoked one is refused. Nil for a token without a session.
    package var sessionID: SessionID?
    /// The prompt's estimated tokens.
    package var promptTokens: Int
    /// The `max_tokens` that the request names, nil for none: the plan says what becomes of it.
    package var maxTokens: Int?
    /// As it is asked for: it has to be among the plan's, and its price is what the completion costs.
    package var model: String
    /// The preset the request came from, for the bill.
    package var presetID: PresetID?
    /// The upstreams that may answer, in the order in which they are asked.
    package var upstreams: LimitedUpstreams

    /// - Parameter attempt: the id of the request that asks, if there is one.
    package init(
        completionID: CompletionID, isNew: Bool = false,
        attempt: UUIDBytes = UUIDBytes(high: .random(in: 0...UInt64.max), low: .random(in: 0...UInt64.max)),
        userID: UserID, sessionID: SessionID?, promptTokens: Int, maxTokens: Int?, model: String, presetID: PresetID? = nil,
        upstreams: LimitedUpstreams = LimitedUpstreams([])
    ) {
        self.completionID = completionID
        self.isNew = isNew
        self.attempt = attempt
        self.userID = userID
        self.sessionID = sessionID
        self.promptTokens = promptTokens
        self.maxTokens = maxTokens
        self.model = model
        self.presetID = presetID
        self.upstreams = upstreams
    }
}

/// Of the upstreams that may answer those whose limits decide on an admission: up to the first that has none.
package struct LimitedUpstreams: Sendable, Equatable {
    /// Their names with a comma between, an empty one for the upstream without limits.
    let names: String

    /// - Parameter candidates: in the order in which they are asked; names are without commas.
    package init(_ candidates: [(name: String, hasLimits: Bool)]) {
        var names = ""
        for (place, candidate) in candidates.enumerated() {
            if place > 0 { names += "," }
            if !candidate.hasLimits { break }
            names += candidate.name
        }
        self.names = names
    }
}

/// What an admission grants.
package struct Grant: Sendable, Equatable {
    /// The `max_tokens` that the completion runs with.
    package let maxTokens: Int
    /// The attempt that was admitted; its settlement names it.
    package let attempt: UUIDBytes
    /// The upstream whose limits it was charged to, and that is to be asked first; nil where none was.
    package let upstream: String?
    /// Whether fewer streams are free than ``plentyOfSlots``: somebody may wait for this one's slot.
    package let isShortOfSlots: Bool
    /// The user's buckets after it.
    package let snapshot: BucketSnapshot

    /// As many as one user's ended completions may hold while their settlements gather in several processes.
    static let plentyOfSlots: Int64 = 100
}

/// The answer to a reservation that the database has decided on. Indirect, so that who waits for it keeps room for a reference alone.
package indirect enum Admission: Sendable, Equatable {
    /// Everything is reserved. The completion has to be settled, whatever becomes of it.
    case admitted(Grant)
    /// Nothing is reserved. The error says why, and how long to wait where that is known; no snapshot where the user is not known.
    case refused(ServiceError, BucketSnapshot?)
}

/// What may be asked of one upstream, by all users of all replicas together.
package struct UpstreamLimits: Sendable, Equatable {
    /// As in the configuration, without commas.
    package var name: String
    /// Nil for no limit; otherwise also how many may come at once.
    package var requestsPerMinute: Int?
    /// Prompt and completion tokens; nil for no limit.
    package var tokensPerMinute: Int?

    package init(name: String, requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil) {
        self.name = name
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
    }
}
