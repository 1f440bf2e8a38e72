import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore

/// Answers the requests of one loop: finds the route, checks who asks, calls the handler, and turns whatever goes wrong
/// into a problem.
final class APIResponder: Responder {
    private static let baseFields: ResponseFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
    static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    private let router: Router<Endpoint>
    private let authentication: Authentication
    private let crossOrigin: CrossOrigin
    private let proxies: TrustedProxies
    private let observer: RequestObserver
    private let ids: IDSource
    private let unrouted = RouteMeters(route: "none")

    init(
        router: Router<Endpoint>, authentication: Authentication, crossOrigin: CrossOrigin, proxies: TrustedProxies,
        observer: RequestObserver, ids: IDSource
    ) {
        self.router = router
        self.authentication = authentication
        self.crossOrigin = crossOrigin
        self.proxies = proxies
        self.observer = observer
        self.ids = ids
    }

    func respond(to request: Request) -> Reply {
        let context = RequestContext(
            request: request, id: ids.next(), clientAddress: proxies.clientAddress(of: request),
            started: SystemClock.monotonicNanoseconds(), meters: unrouted)
        request.responseFields.append(Self.baseFields)
        request.responseFields.append(.requestID, context.id.uuid)
        crossOrigin.apply(to: request)
        do {
            return observed(try route(context), context)
        } catch {
            return observed(context.refuse(error), context)
        }
    }

    /// Tells the observer of the answer, now or when it is known.
    private func observed(_ reply: Reply, _ context: RequestContext) -> Reply {
        switch reply {
        case .later(let work): return .later { answered in work { answered(self.observed($0, context)) } }
        case .awaited(let work): return .awaited { self.observed(await work(), context) }
        case .deferred(let work): return .deferred { self.observed(await work(), context) }
        case .response, .streamed: break
        }
        observer.answered(context, reply)
        return reply
    }

    func refuse(_ error: RequestError) -> Response {
        let requestID: RequestID = ids.next()
        let cause =
            switch error {
            case .malformed(let error): ServiceError(error)
            case .timedOut: ServiceError(.requestTimeout)
            }
        var response = bare(cause, requestID)
        if cause.code == .methodNotAllowed { response.fields[.allow] = Self.list(Self.methods) }
        observer.refused(cause, requestID: requestID)
        return response
    }

    func refuseBody(of request: Request) -> Response {
        let (error, requestID): (ServiceError, RequestID) = (ServiceError(.payloadTooLarge), ids.next())
        crossOrigin.apply(to: request)
        observer.refused(error, requestID: requestID)
        return bare(error, requestID)
    }

    func refuseOverload(_ request: Request) -> Response? {
        if request.path == "/healthz" { return nil }
        crossOrigin.apply(to: request)
        return bare(
            ServiceError(.overloaded, "The server has all the connections it can hold", retryAfter: .seconds(1)), ids.next())
    }

    /// A problem for a request that did not get as far as having fields of its answer.
    private func bare(_ error: ServiceError, _ requestID: RequestID) -> Response {
        var response = Problem.response(error, requestID: requestID)
        response.fields.append(Self.baseFields)
        response.fields.append(.requestID, requestID.uuid)
        return response
    }

    private func route(_ context: RequestContext) throws(ServiceError) -> Reply {
        let request = context.request
        let method = request.head.method
        if request.head.target.form == .asterisk {
            return .response(crossOrigin.optionsResponse(to: request, allowed: Self.methods))
        }
        var failure: HTTPParseError?
        let match = router.match(method, path: request.path) { request.pathSegments(&failure) }
        if let failure { throw ServiceError(failure) }
        switch match {
        case .endpoint(let endpoint, let parameters):
            context.meters = endpoint.meters
            context.pathParameters = parameters
            switch endpoint.handler {
            case .immediate(let handler): return .response(try handler(context))
            case .open(let handler): return Self.awaited(context) { try await handler(context) }
            case .crowded(let room, let handler):
                try room()
                return Self.awaited(context) { try await handler(context) }
            case .authenticated(let access, let handler):
                return try authenticated(context, access) { principal in
                    Self.awaited(context) { try await handler(context, principal) }
                }
            case .direct(let access, let handler):
                return try authenticated(context, access) { handler(context, $0) }
            }
        case .methodNotAllowed(let allowed):
            if method == .options { return .response(crossOrigin.optionsResponse(to: request, allowed: allowed)) }
            request.responseFields[.allow] = Self.list(allowed)
            throw ServiceError(.methodNotAllowed)
        case .notFound:
            throw ServiceError(.notFound, "There is no such path")
        }
    }

    /// Has a handler called for somebody who may call it, as soon as it is known who that is.
    private func authenticated(
        _ context: RequestContext, _ access: Access, _ handler: @escaping (Principal) -> Reply
    ) throws(ServiceError) -> Reply {
        switch try authentication.caller(of: context) {
        case .known(let principal):
            context.principal = principal
            try access.check(principal)
            return handler(principal)
        case .key(let key):
            return Self.awaited(context) {
                let principal = try await self.authentication.principal(of: key, context)
                context.principal = principal
                try access.check(principal)
                return handler(principal)
            }
        }
    }

    /// What a handler makes of a request, or the refusal where it fails.
    private static func awaited(_ context: RequestContext, _ handler: @escaping () async throws -> Reply) -> Reply {
        .awaited {
            do { return try await handler() } catch { return context.refuse(error) }
        }
    }

    private static func list(_ methods: [HTTPRequest.Method]) -> String { methods.map(\.rawValue).joined(separator: ", ") }
}

extension Request {
    /// The path as sent, without its query.
    fileprivate var path: String {
        bytes.withUnsafeBufferPointer { head.target.path.string(in: $0.span) }
    }

    /// The authority the request is for: the Host field, or that of an absolute target.
    var host: String? {
        bytes.withUnsafeBufferPointer { bytes in head.authority.map { $0.string(in: bytes.span) } }
    }

    fileprivate func pathSegments(_ failure: inout HTTPParseError?) -> [String] {
        do throws(HTTPParseError) {
            return try bytes.withUnsafeBufferPointer { bytes throws(HTTPParseError) in
                try head.target.pathSegments(in: bytes.span)
            }
        } catch {
            failure = error
            return []
        }
    }
}
