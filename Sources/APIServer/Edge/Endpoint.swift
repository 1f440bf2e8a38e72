import HTTPServer
import PlaygroundCore

/// What a route leads to. A handler needs a principal unless its route says that it is open.
struct Endpoint {
    enum Handler {
        /// Anybody may call it, and it waits for nothing.
        case immediate((RequestContext) throws(ServiceError) -> Response)
        /// Anybody may call it.
        case open((RequestContext) async throws -> Reply)
        /// Anybody may call it, and many may at one moment: where there is no room for another, that is told before the body is read
        /// and without waiting for anything.
        case crowded(room: () throws(ServiceError) -> Void, (RequestContext) async throws -> Reply)
        /// Only with a valid token or key of somebody who may.
        case authenticated(Access, (RequestContext, Principal) async throws -> Reply)
        /// The same for one that does not wait itself, and says what has to be waited for.
        case direct(Access, (RequestContext, Principal) -> Reply)
    }

    let meters: RouteMeters
    let handler: Handler
}
