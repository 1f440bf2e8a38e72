/// Every public error code. Clients decide by these strings; one is never renamed or reused.
package enum ErrorCode: String, Sendable, CaseIterable {
    // The message itself
    case malformedRequest = "malformed_request"
    case uriTooLong = "uri_too_long"
    case headerTooLarge = "header_too_large"
    case invalidHeader = "invalid_header"
    case unsupportedTransferCoding = "unsupported_transfer_coding"
    case unsupportedHTTPVersion = "unsupported_http_version"
    case expectationFailed = "expectation_failed"
    case requestTimeout = "request_timeout"
    case payloadTooLarge = "payload_too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case methodNotAllowed = "method_not_allowed"
    case notFound = "not_found"

    // What the request asks for
    case invalidJSON = "invalid_json"
    case invalidRequest = "invalid_request"
    case unknownParameter = "unknown_parameter"
    case unsupportedParameter = "unsupported_parameter"
    case modelNotAllowed = "model_not_allowed"
    case modelNotFound = "model_not_found"
    case contextLengthExceeded = "context_length_exceeded"
    case invalidCursor = "invalid_cursor"

    // One field of it
    case required = "required"
    case wrongType = "wrong_type"
    case outOfRange = "out_of_range"
    case tooLong = "too_long"
    case tooShort = "too_short"
    case invalidValue = "invalid_value"

    // Who asks
    case tokenMissing = "token_missing"
    case tokenInvalid = "token_invalid"
    case tokenExpired = "token_expired"
    case sessionRevoked = "session_revoked"
    case invalidCredentials = "invalid_credentials"
    case wrongPassword = "wrong_password"
    case originNotAllowed = "origin_not_allowed"
    case registrationClosed = "registration_closed"
    case idTokenInvalid = "id_token_invalid"
    case loginAttemptInvalid = "login_attempt_invalid"
    case insufficientScope = "insufficient_scope"
    case reauthenticationRequired = "reauthentication_required"
    case mailDisabled = "mail_disabled"
    case linkInvalid = "link_invalid"

    // What is there already
    case emailTaken = "email_taken"
    case completionIDConflict = "completion_id_conflict"
    case identityInUse = "identity_in_use"
    case lastLoginMethod = "last_login_method"
    case idempotencyKeyInUse = "idempotency_key_in_use"
    case idempotencyKeyReused = "idempotency_key_reused"
    case presetLimitReached = "preset_limit_reached"
    case keyLimitReached = "key_limit_reached"
    case versionConflict = "version_conflict"
    case versionRequired = "version_required"

    // How much
    case tooManyAttempts = "too_many_attempts"
    case rateLimitExceeded = "rate_limit_exceeded"
    case insufficientQuota = "insufficient_quota"
    case concurrencyLimit = "concurrency_limit"
    case requestExceedsPlan = "request_exceeds_plan"
    case upstreamRateLimited = "upstream_rate_limited"

    // What failed on our side
    case internalError = "internal"
    case identityProviderError = "identity_provider_error"
    case upstreamError = "upstream_error"
    case upstreamUnavailable = "upstream_unavailable"
    case upstreamTimeout = "upstream_timeout"
    case databaseUnavailable = "database_unavailable"
    case overloaded = "overloaded"
    case completionsPaused = "completions_paused"
    case shuttingDown = "shutting_down"
}

extension ErrorCode {
    /// One line of meaning, the same for every occurrence: a problem's title.
    package var meaning: String {
        switch self {
        case .malformedRequest: "The request is not well-formed HTTP"
        case .uriTooLong: "The request line is too long"
        case .headerTooLarge: "The header section is too large"
        case .invalidHeader: "A header field has a value that cannot be used"
        case .unsupportedTransferCoding: "The transfer coding is not supported"
        case .unsupportedHTTPVersion: "The HTTP version is not supported"
        case .expectationFailed: "The expectation cannot be met"
        case .requestTimeout: "The request took too long to arrive"
        case .payloadTooLarge: "The body is too large"
        case .unsupportedMediaType: "The body has to be application/json in UTF-8"
        case .methodNotAllowed: "The method is not allowed here"
        case .notFound: "There is nothing here, or nothing of yours"
        case .invalidJSON: "The body is not valid JSON"
        case .invalidRequest: "The request has fields that cannot be used"
        case .unknownParameter: "The request has a field that does not exist"
        case .unsupportedParameter: "The request uses something that is not supported"
        case .modelNotAllowed: "The model may not be used here"
        case .modelNotFound: "The upstream does not have this model"
        case .contextLengthExceeded: "Prompt and completion do not fit the model's context"
        case .invalidCursor: "The cursor is not one that this list gave out"
        case .required: "The field is required"
        case .wrongType: "The field has a value of the wrong type"
        case .outOfRange: "The number is out of range"
        case .tooLong: "The value is too long"
        case .tooShort: "The value is too short"
        case .invalidValue: "The value cannot be used"
        case .tokenMissing: "A session token is needed"
        case .tokenInvalid: "The session token is not valid"
        case .tokenExpired: "The session token has expired: refresh it"
        case .sessionRevoked: "The session has ended: log in again"
        case .invalidCredentials: "E-mail address or password are wrong"
        case .wrongPassword: "The current password is wrong"
        case .originNotAllowed: "The origin may not use this server"
        case .idTokenInvalid: "The ID token is not believed"
        case .loginAttemptInvalid: "The log-in is not known, is over, or was begun elsewhere: begin again"
        case .registrationClosed: "New accounts cannot be registered here"
        case .insufficientScope: "The API key is not good for this"
        case .reauthenticationRequired: "This needs a log-in of the last ten minutes: log in again"
        case .mailDisabled: "This server sends no mail"
        case .linkInvalid: "The link was used, has expired, or was never good: ask for another"
        case .emailTaken: "Another account has this e-mail address"
        case .completionIDConflict: "The completion id has been used before"
        case .identityInUse: "The identity belongs to another account"
        case .lastLoginMethod: "It is the only way to log in to the account"
        case .idempotencyKeyInUse: "The first request with this idempotency key is still being answered"
        case .idempotencyKeyReused: "The idempotency key belongs to a request with another body"
        case .presetLimitReached: "No more presets can be saved"
        case .keyLimitReached: "No more API keys can be made"
        case .versionConflict: "The preset has been changed meanwhile"
        case .versionRequired: "The version that was last seen is required"
        case .tooManyAttempts: "Too many attempts: wait before the next one"
        case .rateLimitExceeded: "Too many requests or tokens in a short time"
        case .insufficientQuota: "The quota is used up"
        case .concurrencyLimit: "Too many completions are running"
        case .requestExceedsPlan: "The request costs more than the plan ever allows at once"
        case .upstreamRateLimited: "The upstream has too many requests"
        case .internalError: "Something went wrong on this server"
        case .identityProviderError: "The identity provider does not answer as it should"
        case .upstreamError: "The upstream failed"
        case .upstreamUnavailable: "The upstream is not available"
        case .upstreamTimeout: "The upstream took too long"
        case .databaseUnavailable: "The database is not available"
        case .overloaded: "The server has too much to do"
        case .completionsPaused: "No new completions are taken at present"
        case .shuttingDown: "The server is shutting down"
        }
    }

    /// Whether the same request may succeed later, nothing changed: the default of `ServiceError.retryable`.
    package var isRetryable: Bool {
        switch self {
        case .requestTimeout, .idempotencyKeyInUse, .tooManyAttempts, .rateLimitExceeded, .concurrencyLimit, .upstreamRateLimited,
            .identityProviderError, .upstreamError,
            .upstreamUnavailable, .upstreamTimeout, .databaseUnavailable, .overloaded, .completionsPaused, .shuttingDown:
            true
        default: false
        }
    }
}
