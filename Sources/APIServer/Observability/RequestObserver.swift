import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import Logging
import Metrics
import PlaygroundCore

/// Tells the log and the metrics what became of each request of one loop.
final class RequestObserver {
    private let logger: Logger
    private let malformed = Counter(label: "http_requests_malformed_total")

    init(logger: Logger) { self.logger = logger }

    /// A request has been answered, or its stream has ended.
    func answered(_ context: RequestContext, _ reply: Reply) {
        let status =
            switch reply {
            case .response(let response): response.status.code
            case .streamed, .awaited, .deferred: 200
            }
        let nanoseconds = SystemClock.monotonicNanoseconds() - context.started
        context.meters.answered(status: status, nanoseconds: nanoseconds)
        let isBroken = context.failureCode.map { $0.status.code >= 500 } ?? false
        let level: Logger.Level = status >= 500 || isBroken ? .error : context.meters.isProbe ? .debug : .info
        guard logger.logLevel <= level else { return }
        let entry = RequestEntry(
            id: context.id, method: context.request.head.method, route: context.meters.route, status: status,
            microseconds: nanoseconds / 1000, client: context.clientAddress, user: context.principal?.userID,
            code: context.failureCode, cause: context.failureCause)
        logger.log(level: level, "request", metadata: ["request": .stringConvertible(entry)])
    }

    /// Bytes came that are no request.
    func refused(_ error: ServiceError, requestID: RequestID) {
        malformed.increment()
        logger.info("request refused", metadata: ["request_id": "\(requestID)", "code": .string(error.code.rawValue)])
    }
}
