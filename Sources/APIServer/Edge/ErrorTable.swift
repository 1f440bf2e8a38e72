import HTTPTypes
import PlaygroundCore

extension ErrorCode {
    /// The one table from what went wrong to the status that says so.
    var status: HTTPResponse.Status {
        switch self {
        case .malformedRequest, .invalidHeader, .invalidJSON, .invalidRequest, .unknownParameter, .unsupportedParameter,
            .modelNotAllowed, .modelNotFound, .contextLengthExceeded, .invalidCursor, .linkInvalid,
            .required, .wrongType, .outOfRange, .tooLong, .tooShort, .invalidValue, .loginAttemptInvalid:
            .badRequest
        case .tokenMissing, .tokenInvalid, .tokenExpired, .sessionRevoked, .invalidCredentials, .idTokenInvalid: .unauthorized
        case .originNotAllowed, .registrationClosed, .insufficientScope, .wrongPassword, .reauthenticationRequired, .mailDisabled:
            .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .requestTimeout: .requestTimeout
        case .emailTaken, .completionIDConflict, .idempotencyKeyInUse, .presetLimitReached, .keyLimitReached, .identityInUse,
            .lastLoginMethod:
            .conflict
        case .versionConflict: .preconditionFailed
        case .payloadTooLarge: .contentTooLarge
        case .uriTooLong: .uriTooLong
        case .unsupportedMediaType: .unsupportedMediaType
        case .expectationFailed: .expectationFailed
        case .idempotencyKeyReused: .unprocessableContent
        case .versionRequired: .preconditionRequired
        case .tooManyAttempts, .rateLimitExceeded, .insufficientQuota, .concurrencyLimit, .requestExceedsPlan,
            .upstreamRateLimited:
            .tooManyRequests
        case .headerTooLarge: .requestHeaderFieldsTooLarge
        case .internalError: .internalServerError
        case .unsupportedTransferCoding: .notImplemented
        case .upstreamError, .identityProviderError: .badGateway
        case .upstreamUnavailable, .databaseUnavailable, .overloaded, .completionsPaused, .shuttingDown:
            .serviceUnavailable
        case .upstreamTimeout: .gatewayTimeout
        case .unsupportedHTTPVersion: HTTPResponse.Status(code: 505, reasonPhrase: "HTTP Version Not Supported")
        }
    }
}
