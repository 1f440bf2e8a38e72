import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// One request on its way through the API: what came, who sent it, and what its log line will say.
final class RequestContext {
    /// The largest body of a JSON route, in bytes.
    static let bodyLimit = 256 * 1024

    let request: Request
    let id: RequestID
    /// The address limits go by: the peer's, or the one a trusted proxy vouches for.
    let clientAddress: String
    /// Monotonic nanoseconds.
    let started: Int64
    /// The decoded `{parameters}` of the path.
    var pathParameters: [String] = []
    /// Those of the route, once it is known.
    var meters: RouteMeters
    var principal: Principal?
    /// The id that what this request creates has to get; nil where a new one will do. See ``newID(_:)``.
    var reservedID: UUIDBytes?
    /// The body, where it is read before the handler asks for it.
    private var keptBody: [UInt8]?
    /// The error that the client was told of elsewhere than in the status: in a stream, or in the address it was sent to.
    private(set) var failureCode: ErrorCode?
    /// What really happened, for the log alone.
    var failureCause: String?

    init(request: Request, id: RequestID, clientAddress: String, started: Int64, meters: RouteMeters) {
        self.request = request
        self.id = id
        self.clientAddress = clientAddress
        self.started = started
        self.meters = meters
    }

    /// Where what the request does comes from, for the audit trail.
    var auditOrigin: AuditOrigin {
        AuditOrigin(address: clientAddress, userAgent: request.value(of: .userAgent), requestID: id)
    }

    /// The answer to an error: a problem. What is no ``ServiceError`` is our own fault and shows nothing of itself.
    func refuse(_ error: any Error) -> Reply { .response(problem(ServiceError(unexpected: error))) }

    /// The same for an error that is known.
    func problem(_ error: ServiceError) -> Response {
        failureCause = error.cause
        return Problem.response(error, requestID: id)
    }

    /// Notes what went wrong behind an answer that is no problem, for the log.
    func noteCause(_ error: ServiceError) { failureCause = error.cause ?? error.code.rawValue }

    /// Notes that a stream ended with an error, or a browser was sent back with one, for the log: the status says nothing of it.
    func noteFailure(_ error: ServiceError) {
        failureCode = error.code
        failureCause = error.cause
    }

    /// A path parameter as an id. A malformed one names nothing, so it is not found.
    func pathID<ID: Identifier>(_ index: Int = 0, as type: ID.Type = ID.self) throws(ServiceError) -> ID {
        guard pathParameters.indices.contains(index), let id = ID(pathParameters[index]) else { throw ServiceError(.notFound) }
        return id
    }

    /// The id for what this request creates.
    func newID<ID: Identifier>(_ ids: IDSource) -> ID { reservedID.map { ID($0) } ?? ids.next() }

    /// A query item's value; nil when it is absent.
    func query(_ name: String) throws(ServiceError) -> String? { try queryItems().first { $0.name == name }?.value }

    /// Refuses a query with items beside these: a list by a mistyped name would be another list than was asked for.
    func onlyQuery(_ names: String...) throws(ServiceError) {
        let unknown = try queryItems().map(\.name).filter { !names.contains($0) }
        if unknown.isEmpty { return }
        throw ServiceError(
            fields: unknown.prefix(20).map { name in
                let shown = String(name.unicodeScalars.prefix(100))
                return FieldError(shown, .unknownParameter, "\(shown) is not an item of this query")
            })
    }

    /// The query's items in order, decoded.
    func queryItems() throws(ServiceError) -> [QueryItem] {
        do {
            return try request.bytes.withUnsafeBufferPointer { bytes throws(HTTPParseError) in
                try request.head.target.queryItems(in: bytes.span)
            }
        } catch {
            throw ServiceError(.malformedRequest, error.detail)
        }
    }

    /// A header field that may stand once; `invalid_header` where it is repeated.
    func single(_ name: HTTPField.Name) throws(ServiceError) -> String? {
        guard let range = try singleRange(name) else { return nil }
        return request.bytes.withUnsafeBufferPointer { range.string(in: $0.span) }
    }

    /// The same as a place in the request's bytes.
    func singleRange(_ name: HTTPField.Name) throws(ServiceError) -> ByteRange? {
        let (first, isRepeated) = request.bytes.withUnsafeBufferPointer { request.head.fields.only(name, in: $0.span) }
        if isRepeated { throw ServiceError(.invalidHeader, "\(name.rawName) may stand only once") }
        return first
    }

    /// Whether the body is said to be JSON. The type that nearly every client writes need not be taken apart.
    private var hasJSON: Bool {
        request.bytes.withUnsafeBufferPointer { bytes in
            guard let type = request.head.fields.first(.contentType, in: bytes.span) else { return false }
            return type.matches("application/json", in: bytes.span)
                || MediaType(bytes.span.extracting(type.bounds))?.isJSON == true
        }
    }

    /// Reads a JSON body. Its type and declared size are judged before a byte is read.
    func json(limit: Int = RequestContext.bodyLimit) async throws(ServiceError) -> [UInt8] {
        if let body = try arrivedJSON(limit: limit) { return body }
        do { return try await request.body(limit: limit) } catch { throw ServiceError(error, limit: limit) }
    }

    /// The same where all of the body has come already; nil where it has not.
    func arrivedJSON(limit: Int = RequestContext.bodyLimit) throws(ServiceError) -> [UInt8]? {
        if let keptBody { return keptBody }
        if request.hasBody {
            guard hasJSON else { throw ServiceError(.unsupportedMediaType) }
        }
        do { return try request.arrivedBody(limit: limit) } catch { throw ServiceError(error, limit: limit) }
    }

    /// The same, and keeps it: it will be asked for again.
    func keptJSON() async throws(ServiceError) -> [UInt8] {
        let body = try await json()
        keptBody = body
        return body
    }

    /// The same, or over none where there is no body.
    func optionalFields() async throws(ServiceError) -> FieldReader {
        request.hasBody ? try await fields() : FieldReader(JSONObject())
    }

    /// Reads a body of pairs, as a browser posts a form.
    func formItems(limit: Int) async throws(ServiceError) -> [QueryItem] {
        guard let type = request.value(of: .contentType), MediaType(type)?.isForm == true else {
            throw ServiceError(.unsupportedMediaType, "The body has to be application/x-www-form-urlencoded")
        }
        let body: [UInt8]
        do { body = try await request.body(limit: limit) } catch { throw ServiceError(error, limit: limit) }
        do { return try QueryItem.items(of: body.span) } catch { throw ServiceError(.malformedRequest, "The body is no form") }
    }

    /// Starts a reader over the fields of a JSON body.
    func fields(ignoring readOnly: Set<String> = []) async throws(ServiceError) -> FieldReader {
        try FieldReader(body: await json(), ignoring: readOnly)
    }
}

extension ServiceError {
    /// Whatever a handler threw. What is no ``ServiceError`` is our own fault.
    init(unexpected error: any Error) {
        self = error as? ServiceError ?? ServiceError(.internalError, cause: "\(error)")
    }

    init(_ error: BodyError, limit: Int) {
        switch error {
        case .tooLarge: self.init(.payloadTooLarge, "The body may have at most \(limit) bytes")
        case .timedOut: self.init(.requestTimeout)
        case .incomplete: self.init(.malformedRequest, "The connection was closed before the end of the body")
        case .malformed(let error): self.init(error)
        }
    }

    init(_ error: HTTPParseError) {
        self.init(ErrorCode(rawValue: error.code) ?? .malformedRequest, error.detail)
    }
}

extension Response {
    /// An answer in JSON.
    static func json(
        _ status: HTTPResponse.Status = .ok, fields: ResponseFields = ResponseFields(), _ body: (inout JSONWriter) -> Void
    ) -> Response {
        var writer = JSONWriter()
        writer.object(body)
        return .json(status, fields: fields, bytes: writer.bytes)
    }

    /// An answer whose JSON is at hand.
    static func json(_ status: HTTPResponse.Status = .ok, fields: ResponseFields = ResponseFields(), bytes: [UInt8]) -> Response {
        var fields = fields
        fields.append(.contentType, "application/json; charset=utf-8")
        return Response(status: status, fields: fields, body: bytes)
    }
}
