import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import Logging
import Metrics
import PlaygroundCore
import StrictJSON

/// Tells the log and the metrics what became of each request of one loop.
final class RequestObserver {
    private let log: JSONLogHandler
    private let malformed = Counter(label: "http_requests_malformed_total")

    /// - Parameter log: written to without a logger in between, which costs as much as the line.
    init(log: JSONLogHandler) { self.log = log }

    /// A request has been answered, or its stream has ended.
    func answered(_ context: RequestContext, _ reply: Reply) {
        let status =
            switch reply {
            case .response(let response): response.status.code
            case .streamed, .later, .awaited, .deferred: 200
            }
        let nanoseconds = SystemClock.monotonicNanoseconds() - context.started
        context.meters.answered(status: status, nanoseconds: nanoseconds)
        let isBroken = context.failureCode.map { $0.status.code >= 500 } ?? false
        let level: Logger.Level = status >= 500 || isBroken ? .error : context.meters.isProbe ? .debug : .info
        guard log.logLevel <= level else { return }
        let entry = RequestEntry(
            id: context.id, method: context.request.head.method, route: context.meters.route, status: status,
            microseconds: nanoseconds / 1000, client: context.clientAddress, user: context.principal?.userID,
            code: context.failureCode, cause: context.failureCause)
        log.write(level, "request") { entry.writeMembers(to: &$0) }
    }

    /// Bytes came that are no request.
    func refused(_ error: ServiceError, requestID: RequestID) {
        malformed.increment()
        guard log.logLevel <= .info else { return }
        log.write(.info, "request refused") { writer in
            writer.member("request_id", requestID)
            writer.member("code", error.code.rawValue)
        }
    }
}
