package import StrictJSON

/// One field of a request that cannot be used.
package struct FieldError: Sendable, Equatable {
    /// Where the field stands, dotted: `params.stop.1`.
    package let param: String
    package let code: ErrorCode
    /// One sentence for the author of a client. It never repeats the value.
    package let detail: String

    package init(_ param: String, _ code: ErrorCode, _ detail: String) {
        self.param = param
        self.code = code
        self.detail = detail
    }
}

/// The only error that crosses modules: a public code, a text for the client, a cause for the log.
///
/// Which status and which envelope it becomes is decided at the edge.
package struct ServiceError: Error, Sendable, Equatable {
    package let code: ErrorCode
    /// One sentence about this occurrence, for the client.
    package let detail: String
    /// Every bad field of the request, in the order of the body.
    package let errors: [FieldError]
    /// How long to wait before another attempt, where that is known.
    package var retryAfter: Duration?
    /// Whether the same request may succeed later, nothing changed.
    package var retryable: Bool
    /// What the upstream took too long over; only with `upstream_timeout`.
    package private(set) var phase: TimeoutPhase?
    /// The scope that is missing; only with `insufficient_scope`, and not where no scope would do.
    package private(set) var scope: Scope?
    /// What really happened, for the log alone.
    package var cause: String?

    /// `detail`: nil for the code's own meaning.
    package init(_ code: ErrorCode, _ detail: String? = nil, retryAfter: Duration? = nil, cause: String? = nil) {
        self.code = code
        self.detail = detail ?? code.meaning
        errors = []
        self.retryAfter = retryAfter
        retryable = code.isRetryable
        self.cause = cause
    }

    /// The error of a request that an API key without this scope makes.
    package init(insufficientScope scope: Scope) {
        self.init(.insufficientScope, "The API key does not have the scope `\(scope.rawValue)`")
        self.scope = scope
    }

    /// The error of a completion whose upstream took too long.
    package init(upstreamTimeout phase: TimeoutPhase) {
        self.init(.upstreamTimeout, phase.meaning, cause: "upstream timed out: \(phase.rawValue)")
        self.phase = phase
    }

    /// The error of a request with bad fields. A single one that says more than "invalid" gives its own code.
    package init(fields: [FieldError]) {
        let only = fields.count == 1 ? fields.first : nil
        switch only?.code {
        case .unknownParameter, .unsupportedParameter, .modelNotAllowed: code = only?.code ?? .invalidRequest
        default: code = .invalidRequest
        }
        detail = only?.detail ?? "\(fields.count) fields cannot be used"
        errors = fields
        retryAfter = nil
        retryable = false
        cause = nil
    }

    /// Two parts of one request, which are both read: where neither can be used, the client hears of the fields of both at once.
    package static func both<First, Second>(
        _ first: () throws(ServiceError) -> First, _ second: () throws(ServiceError) -> Second
    ) throws(ServiceError) -> (First, Second) {
        let second = Result(catching: second)
        do throws(ServiceError) {
            return (try first(), try second.get())
        } catch {
            guard case .failure(let other) = second, !error.errors.isEmpty, error.errors != other.errors else { throw error }
            throw ServiceError(fields: error.errors + other.errors)
        }
    }

    /// The error of a body that cannot be read: `invalid_json`, or `invalid_request` where it is JSON but repeats a name or
    /// holds what cannot be stored.
    package init(_ error: JSONError) {
        self.init(
            error.reason.isBeyondGrammar ? .invalidRequest : .invalidJSON, "The body cannot be read: \(error.description)")
    }

    /// The first bad field, dotted; nil where no field is to blame.
    package var param: String? { errors.first?.param }
}
