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
    /// It could not be reached, or broke off; the phrase is for the log.
    case unreachable(String)
    /// It took too long; the phrase is for the log.
    case timedOut(String)

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
        case .unreachable(let phrase): ServiceError(.upstreamError, cause: "upstream connection failed: \(phrase)")
        case .timedOut(let phrase): ServiceError(.upstreamTimeout, cause: "upstream timed out: \(phrase)")
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
