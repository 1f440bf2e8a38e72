import HTTPTypes
import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

@testable import APIServer

@Suite("The contract has the server's errors")
struct ErrorContractTests {
    let contract: APIContract

    init() throws {
        contract = try APIContract.ofProject()
    }

    @Test("the description of Problem.code lists every code with its status, and no other")
    func everyCodeIsListed() throws {
        let properties = contract.schema("Problem")?.object?["properties"]?.object
        let description = try #require(properties?["code"]?.object?["description"]?.string)
        let rows = description.matches(of: /\| `([a-z_]+)` \| (\d+) \| \S/).map { "\($0.1) \($0.2)" }
        #expect(rows.sorted() == ErrorCode.allCases.map { "\($0.rawValue) \($0.status.code)" }.sorted())
    }

    @Test("every operation documents the status of every error that it can raise")
    func everyErrorIsDocumented() throws {
        for operation in contract.operations {
            let responses = try #require(operation.members["responses"]?.object)
            for code in errors(of: operation) {
                #expect(responses["\(code.status.code)"] != nil, "\(operation): \(code.rawValue)")
            }
        }
    }

    @Test("an operation documents no status that none of its errors has")
    func nothingElseIsDocumented() throws {
        for operation in contract.operations {
            let statuses = Set(errors(of: operation).map { "\($0.status.code)" })
            let documented = (operation.members["responses"]?.object?.keys ?? []).filter { $0 != "default" && $0 >= "4" }
            #expect(documented.filter { !statuses.contains($0) } == [], "\(operation)")
        }
    }

    @Test("every code is one that some operation raises, that stands in front of all of them, or that names one bad field")
    func everyCodeIsRaised() {
        let raised = contract.operations.flatMap { errors(of: $0) } + Self.beforeRoutes + Self.ofFields
        #expect(Set(ErrorCode.allCases).subtracting(raised).map(\.rawValue) == [])
    }

    @Test("the answer to everything else lists the statuses that any request can get")
    func defaultListsTheRest() throws {
        let failure = contract.document.object?["components"]?.object?["responses"]?.object?["Failure"]?.object
        let description = try #require(failure?["description"]?.string)
        for code in Self.beforeRoutes where code != .notFound {
            #expect(description.contains("\(code.status.code)"), "\(code.rawValue)")
        }
    }

    // MARK: Who raises what

    /// Raised by the parser, the router or the connection: `default` documents them.
    private static let beforeRoutes: [ErrorCode] = [
        .malformedRequest, .uriTooLong, .headerTooLarge, .unsupportedTransferCoding, .unsupportedHTTPVersion, .expectationFailed,
        .requestTimeout, .payloadTooLarge, .methodNotAllowed, .notFound, .internalError, .overloaded, .shuttingDown,
        .insufficientScope, .tooManyAttempts,
    ]
    /// Only within `errors`.
    private static let ofFields: [ErrorCode] = [.required, .wrongType, .outOfRange, .tooLong, .tooShort, .invalidValue]
    private static let ofBodies: [ErrorCode] = [
        .invalidJSON, .invalidRequest, .unknownParameter, .requestTimeout, .payloadTooLarge, .unsupportedMediaType,
    ]
    private static let ofTokens: [ErrorCode] = [.tokenMissing, .tokenInvalid, .tokenExpired, .sessionRevoked, .invalidHeader]
    private static let ofTheDatabase: [ErrorCode] = [.databaseUnavailable, .overloaded, .internalError]

    private static let own: [String: [ErrorCode]] = [
        "register": [.registrationClosed, .tooManyAttempts],
        "forgotPassword": [.mailDisabled, .tooManyAttempts],
        "resetPassword": [.linkInvalid],
        "deleteAccount": [.wrongPassword, .reauthenticationRequired, .tooManyAttempts],
        "changeEmail": [.wrongPassword, .reauthenticationRequired, .tooManyAttempts, .mailDisabled],
        "verifyEmail": [.linkInvalid, .emailTaken],
        "login": [.invalidCredentials, .originNotAllowed, .tooManyAttempts],
        "refreshSession": [.tokenMissing, .tokenInvalid, .tokenExpired, .sessionRevoked, .originNotAllowed],
        "logout": [.originNotAllowed],
        "changePassword": [.wrongPassword, .tooManyAttempts],
        "listSessions": [.invalidRequest, .invalidCursor],
        "endSession": [.notFound],
        "startIdentityProviderLogin": [.invalidRequest, .notFound],
        "finishIdentityProviderLogin": [.notFound, .loginAttemptInvalid],
        "finishIdentityProviderForm": [.notFound, .loginAttemptInvalid],
        "exchangeLoginCode": [.loginAttemptInvalid, .registrationClosed, .invalidCredentials, .originNotAllowed],
        "signInWithIdToken": [
            .idTokenInvalid, .notFound, .registrationClosed, .invalidCredentials, .originNotAllowed, .identityProviderError,
        ],
        "linkIdentity": [
            .loginAttemptInvalid, .identityInUse, .idempotencyKeyInUse, .idempotencyKeyReused, .rateLimitExceeded,
        ],
        "unlinkIdentity": [.notFound, .lastLoginMethod],
        "listPresets": [.invalidRequest, .invalidCursor],
        "createPreset": [
            .unsupportedParameter, .modelNotAllowed, .presetLimitReached, .idempotencyKeyInUse, .idempotencyKeyReused,
            .rateLimitExceeded,
        ],
        "createKey": [.keyLimitReached],
        "getKey": [.notFound],
        "revokeKey": [.notFound],
        "getPreset": [.notFound],
        "replacePreset": [
            .unsupportedParameter, .modelNotAllowed, .presetLimitReached, .notFound, .versionConflict, .versionRequired,
        ],
        "updatePreset": [.unsupportedParameter, .modelNotAllowed, .notFound, .versionConflict, .versionRequired],
        "deletePreset": [.notFound, .versionConflict],
        "createCompletion": [
            .unsupportedParameter, .modelNotAllowed, .modelNotFound, .contextLengthExceeded, .notFound, .completionIDConflict,
            .rateLimitExceeded, .insufficientQuota, .concurrencyLimit, .requestExceedsPlan, .upstreamRateLimited, .upstreamError,
            .upstreamUnavailable, .upstreamTimeout, .completionsPaused, .shuttingDown,
        ],
        "getCompletion": [.notFound],
        "stopCompletion": [.notFound],
        "checkReadiness": [.shuttingDown],
    ]
    /// Tells the frontend, to which it sends the browser, what is wrong with the database.
    private static let telling: Set = ["startIdentityProviderLogin"]
    /// Asks nobody.
    private static let alone: Set = ["getServerInfo", "listIdentityProviders", "checkHealth", "getMetrics", "getContract"]

    private func errors(of operation: APIContract.Operation) -> [ErrorCode] {
        let id = operation.members["operationId"]?.string ?? ""
        var errors = Self.own[id] ?? []
        if operation.members["requestBody"] != nil { errors += Self.ofBodies }
        if !Self.alone.contains(id), !Self.telling.contains(id) { errors += Self.ofTheDatabase }
        if !operation.isOpen {
            errors += Self.ofTokens
            if operation.method != "GET" { errors.append(.originNotAllowed) }
        }
        return errors
    }
}
