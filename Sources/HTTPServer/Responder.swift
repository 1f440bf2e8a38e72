package import HTTPCore

/// What answers requests: one object a loop, made on that loop and never leaving it.
package protocol Responder: AnyObject {
    /// Answers one request, or says what has to be waited for. Called again on the same connection only when this answer is out.
    func respond(to request: Request) -> Reply
    /// The answer to bytes that are no request, after which the connection closes.
    func refuse(_ error: RequestError) -> Response
    /// The answer to a request that announces a body larger than any route takes; nothing of the body is read.
    func refuseBody(of request: Request) -> Response
    /// The answer to a connection beyond the server's capacity; nil when the request may be answered all the same.
    func refuseOverload(_ request: Request) -> Response?
}

/// Why a request could not be read.
package enum RequestError: Error {
    case malformed(HTTPParseError)
    /// Its header section did not come in time.
    case timedOut
}
