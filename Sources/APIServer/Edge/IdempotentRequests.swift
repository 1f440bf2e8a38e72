import HTTPCore
import HTTPServer
import HTTPTypes
import Idempotency
import Logging
import PlaygroundCore

/// Has a request that creates something carried out once, however often it comes with the same `Idempotency-Key`: claims it,
/// calls its handler, keeps the answer, and gives that again.
///
/// What is kept is final: success, or a failure of our own that waiting does not mend. A request that was refused may be mended and
/// sent under the same key; one that may succeed later keeps its key and its id, and is tried again when it comes again.
final class IdempotentRequests {
    typealias Handler = (RequestContext, Principal) async throws -> Response

    private let store: IdempotencyStore
    private let ids: IDSource
    private let logger: Logger

    init(store: IdempotencyStore, ids: IDSource, logger: Logger) {
        self.store = store
        self.ids = ids
        self.logger = logger
    }

    /// Answers a request. Without a key that is all its handler's.
    /// - Parameter route: method and path pattern; each has keys of its own.
    func answer(
        _ context: RequestContext, _ principal: Principal, route: String, _ handler: Handler
    ) async throws -> Response {
        guard let key = try context.idempotencyKey() else { return try await handler(context, principal) }
        let body = try await context.keptJSON()
        let request = IdempotentRequest(
            owner: principal.userID, route: route, key: key, digest: SHA256Digest(of: body.span))
        switch try await store.claim(request, attempt: ids.next()) {
        case .answered(let answer): return Response(replaying: answer)
        case .running: throw ServiceError(.idempotencyKeyInUse, retryAfter: .seconds(1))
        case .claimed(let claim):
            context.reservedID = claim.resourceID
            return try await carryOut(claim, context, principal, handler)
        }
    }

    private func carryOut(
        _ claim: IdempotencyClaim, _ context: RequestContext, _ principal: Principal, _ handler: Handler
    ) async throws -> Response {
        let response: Response
        do {
            response = try await handler(context, principal)
        } catch {
            return try await failed(ServiceError(unexpected: error), claim, context)
        }
        await keep(response, claim)
        return response
    }

    /// - Returns: the answer to a failure that is final; any other is thrown.
    private func failed(
        _ error: ServiceError, _ claim: IdempotencyClaim, _ context: RequestContext
    ) async throws(ServiceError) -> Response {
        if error.code.status.kind == .clientError {
            await giveUp(claim, isRefused: true)
            throw error
        }
        // Whether a write took place may be unknown. The next attempt finds out: it creates under the same id.
        if error.retryable || error.code == .databaseUnavailable {
            await giveUp(claim, isRefused: false)
            throw ServiceError(error.code, retryAfter: error.retryAfter, cause: error.cause)
        }
        let response = context.problem(error)
        await keep(response, claim)
        return response
    }

    /// Where this fails the client is answered nevertheless: when the lease has run out another attempt comes to the same answer.
    private func keep(_ response: Response, _ claim: IdempotencyClaim) async {
        let answer = StoredAnswer(status: response.status.code, fields: response.fields.bytes, body: response.body)
        do throws(ServiceError) {
            try await store.complete(claim, with: answer)
        } catch {
            logger.warning("an idempotent answer was not kept", metadata: ["cause": "\(error.cause ?? error.detail)"])
        }
    }

    /// Where this fails the claim ends with its lease.
    private func giveUp(_ claim: IdempotencyClaim, isRefused: Bool) async {
        do throws(ServiceError) {
            if isRefused { try await store.forget(claim) } else { try await store.release(claim) }
        } catch {
            logger.warning("an idempotency key was not given up", metadata: ["cause": "\(error.cause ?? error.detail)"])
        }
    }
}

extension RequestContext {
    /// The key under which the request may come again; nil where it has none.
    func idempotencyKey() throws(ServiceError) -> IdempotencyKey? {
        guard let text = try single(.idempotencyKey) else { return nil }
        return try IdempotencyKey(text)
    }
}

extension Response {
    /// An answer that was given before.
    init(replaying answer: StoredAnswer) {
        var fields = ResponseFields(lines: answer.fields)
        fields.append(.idempotencyReplayed, "true")
        self.init(status: HTTPResponse.Status(code: answer.status), fields: fields, body: answer.body)
    }
}
