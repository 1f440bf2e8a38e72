package import PlaygroundCore

/// How an upstream can fail a completion, and the error each failure is to the client.
package indirect enum UpstreamFault: Error, Sendable, Equatable {
    /// It answered with another status than 200. `retryAfter`: how long it asks to wait.
    case refused(status: Int, UpstreamErrorReport, retryAfter: Duration?)
    /// It answered 200 with something else than a stream of events.
    case notAStream
    /// It told of an error inside the stream.
    case errorEvent(UpstreamErrorReport)
    /// An event is not what the completions contract says; the phrase is for the log.
    case malformedEvent(String)
    /// An event, or all text that was to be collected, is beyond its bound.
    case tooLarge
    /// The body ended before the completion did.
    case endedEarly
    /// Too many connections to it were to be made first: nobody has tried to reach it.
    case crowded
    /// No connection came about, and nothing was sent; the phrase is for the log.
    case unreachable(String)
    /// The connection broke, or could not be trusted; the phrase is for the log.
    case brokeOff(String, isAfterHead: Bool)
    /// What came is not HTTP as we accept it; the phrase is for the log.
    case malformedAnswer(String)
    /// It took too long.
    case timedOut(TimeoutPhase)

    /// What may help while the client has not been answered.
    enum Remedy: Equatable {
        /// Nothing: the request is at fault, or its time is over.
        case none
        /// Another upstream; with this one it is pointless, or it may have cost something already.
        case elsewhere
        /// The same upstream as well, not before `after`, where it said so.
        case again(after: Duration?)
    }

    var remedy: Remedy {
        switch self {
        case .refused(let status, let report, let retryAfter): Self.remedy(status: status, report, retryAfter)
        case .errorEvent(let report): Self.remedy(status: report.status ?? 500, report, nil)
        case .crowded, .unreachable, .timedOut(.connect): .again(after: nil)
        case .timedOut(.total): .none
        case .notAStream, .malformedEvent, .tooLarge, .endedEarly, .brokeOff, .malformedAnswer, .timedOut: .elsewhere
        }
    }

    /// Whether it looks as if nobody were there, or costs much time to find out. A status is an answer.
    var showsAbsence: Bool {
        switch self {
        case .unreachable, .brokeOff(_, isAfterHead: false), .timedOut(.connect), .timedOut(.firstByte): true
        default: false
        }
    }

    /// Whether the request never came to the upstream, or was sent back by it: no model was at work.
    var isRefusal: Bool {
        switch self {
        case .refused, .crowded, .unreachable, .timedOut(.connect): true
        default: false
        }
    }

    /// How long the upstream asks to wait, where that helps.
    var retryAfter: Duration? {
        if case .again(let wait) = remedy { wait } else { nil }
    }

    /// The class of the fault in a word, for logs and metrics.
    package var label: String {
        switch self {
        case .refused(let status, _, _): "status_\(status)"
        case .notAStream: "not_a_stream"
        case .errorEvent: "error_event"
        case .malformedEvent: "malformed_event"
        case .tooLarge: "too_large"
        case .endedEarly: "ended_early"
        case .crowded: "crowded"
        case .unreachable: "unreachable"
        case .brokeOff: "broke_off"
        case .malformedAnswer: "malformed_answer"
        case .timedOut(let phase): "timeout_\(phase.rawValue)"
        }
    }

    /// The public form: the class of the failure, and nothing that the upstream wrote.
    package var serviceError: ServiceError {
        switch self {
        case .refused(let status, let report, let retryAfter):
            Self.error(status: status, report, retryAfter: retryAfter)
        case .notAStream: ServiceError(.upstreamError, cause: "upstream answered 200 without an event stream")
        case .errorEvent(let report): Self.error(status: report.status ?? 500, report, retryAfter: nil)
        case .malformedEvent(let phrase): ServiceError(.upstreamError, cause: "upstream sent a malformed event: \(phrase)")
        case .tooLarge: ServiceError(.upstreamError, cause: "upstream sent more than is taken")
        case .endedEarly: ServiceError(.upstreamError, cause: "upstream ended before its completion did")
        case .crowded:
            ServiceError(
                .upstreamUnavailable, retryAfter: .seconds(1), cause: "too many connections to the upstream wait to be made")
        case .unreachable(let phrase), .brokeOff(let phrase, _), .malformedAnswer(let phrase):
            ServiceError(.upstreamError, cause: "upstream connection failed: \(phrase)")
        case .timedOut(let phase): ServiceError(upstreamTimeout: phase)
        }
    }

    private static func remedy(status: Int, _ report: UpstreamErrorReport, _ retryAfter: Duration?) -> Remedy {
        switch status {
        // Neither keys nor money come back with time, and another upstream has its own.
        case 400..<500 where report.isUpstreamsOwn: .elsewhere
        case 400..<500 where report.isOutOfQuota: .elsewhere
        case 400, 404, 413, 422: .none
        case 429, 502, 503, 504: .again(after: retryAfter)
        default: .elsewhere
        }
    }

    private static func error(status: Int, _ report: UpstreamErrorReport, retryAfter: Duration?) -> ServiceError {
        let cause = "upstream status \(status) \(report.label)"
        if report.isOutOfQuota, 400..<500 ~= status {
            var error = ServiceError(.upstreamRateLimited, "The upstream's quota is used up", cause: cause)
            error.retryable = false
            return error
        }
        return switch status {
        case 400..<500 where report.isUpstreamsOwn: ServiceError(.upstreamError, cause: cause)
        case 400, 404, 413, 422: refused(report, cause: cause)
        case 429: ServiceError(.upstreamRateLimited, retryAfter: retryAfter, cause: cause)
        case 503: ServiceError(.upstreamUnavailable, retryAfter: retryAfter, cause: cause)
        // 401 and 403 too: our key was refused, not the client's token.
        default: ServiceError(.upstreamError, cause: cause)
        }
    }

    private static func refused(_ report: UpstreamErrorReport, cause: String) -> ServiceError {
        if let code = report.code { return ServiceError(code, cause: cause) }
        guard let field = report.field else {
            return ServiceError(.invalidRequest, "The upstream refused the request", cause: cause)
        }
        var error = ServiceError(fields: [field])
        error.cause = cause
        return error
    }
}
