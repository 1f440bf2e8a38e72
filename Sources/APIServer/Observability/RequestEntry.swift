import HTTPTypes
import PlaygroundCore
import StrictJSON

/// What the log says of one request.
///
/// It writes its members into the line itself: as a dictionary for the logger, made and taken apart again, its nine values cost
/// 30,000 instructions a request.
struct RequestEntry {
    let id: RequestID
    let method: HTTPRequest.Method
    /// The route's pattern; never the path itself.
    let route: String
    let status: Int
    /// From the request's head to its answer, or to its stream's end.
    let microseconds: Int64
    /// The address that limits go by.
    let client: String
    let user: UserID?
    /// The error that a stream ended with.
    let code: ErrorCode?
    /// What really happened.
    let cause: String?

    /// Writes the entry as members of the object that is open.
    func writeMembers(to writer: inout JSONWriter) {
        writer.member("request_id", id)
        // Another one is whatever a client wrote there.
        writer.member("method", APIResponder.methods.contains(method) ? method.rawValue : "other")
        writer.member("route", route)
        writer.member("status", status)
        writer.member("duration_ms") { $0.thousandths(microseconds) }
        writer.member("client", client)
        if let user { writer.member("user_id", user) }
        writer.member("code", code?.rawValue)
        writer.member("cause", cause)
    }
}
