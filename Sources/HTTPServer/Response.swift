package import HTTPCore
package import HTTPTypes

/// A whole answer, in memory. Streams do not come as a value: see ``Request/openStream(status:fields:)``.
package struct Response {
    package var status: HTTPResponse.Status
    /// Without Date, Content-Length, Transfer-Encoding and Connection: the connection writes those. None of the request's
    /// ``Request/responseFields`` among them: those are written as well.
    package var fields: ResponseFields
    /// The whole body; its length becomes Content-Length.
    package var body: [UInt8]

    package init(status: HTTPResponse.Status, fields: ResponseFields = ResponseFields(), body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

/// What a responder did with a request.
package enum Reply {
    case response(Response)
    /// The answer went out, or broke off, through the request's ``ResponseStream``.
    case streamed
    /// The answer comes by a call, once, on this loop, maybe at once: no task waits for it, and nothing is kept for it but what the
    /// closure holds.
    case later((_ answered: @escaping (Reply) -> Void) -> Void)
    /// The answer has to be waited for: the connection's task does that.
    case awaited(() async -> Reply)
    /// The rest of the work takes long. It is done on a stack of its own, once that of the request's preparation is given
    /// back: a stream that is open for minutes holds only what it needs.
    case deferred(() async -> Reply)
}
