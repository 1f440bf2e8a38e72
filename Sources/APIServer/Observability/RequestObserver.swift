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
    private var counters: [Key: Counter] = [:]
    private var timers: [String: Timer] = [:]
    private let malformed = Counter(label: "http_requests_malformed_total")

    /// What machines ask every few seconds, of no interest in a log.
    private static let probes: Set = ["/healthz", "/readyz", "/metrics"]

    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    init(logger: Logger) { self.logger = logger }

    /// A request has been answered, or its stream has ended.
    func answered(_ context: RequestContext, _ reply: Reply) {
        let status =
            switch reply {
            case .response(let response): response.status.code
            case .streamed, .deferred: 200
            }
        let nanoseconds = SystemClock.monotonicNanoseconds() - context.started
        count(context.route, status)
        timer(context.route).recordNanoseconds(nanoseconds)
        let isBroken = context.streamFailure.map { $0.status.code >= 500 } ?? false
        let level: Logger.Level = status >= 500 || isBroken ? .error : Self.probes.contains(context.route) ? .debug : .info
        guard logger.logLevel <= level else { return }
        let entry = RequestEntry(
            id: context.id, method: context.request.head.method, route: context.route, status: status,
            microseconds: nanoseconds / 1000, client: context.clientAddress, user: context.principal?.userID,
            code: context.streamFailure, cause: context.failureCause)
        logger.log(level: level, "request", metadata: ["request": .stringConvertible(entry)])
    }

    /// Bytes came that are no request.
    func refused(_ error: ServiceError, requestID: RequestID) {
        malformed.increment()
        logger.info("request refused", metadata: ["request_id": "\(requestID)", "code": .string(error.code.rawValue)])
    }

    private func count(_ route: String, _ status: Int) {
        let key = Key(route: route, status: status)
        if let counter = counters[key] { return counter.increment() }
        let counter = Counter(label: "http_requests_total", dimensions: [("route", route), ("status", String(status))])
        counters[key] = counter
        counter.increment()
    }

    private func timer(_ route: String) -> Timer {
        if let timer = timers[route] { return timer }
        let timer = Timer(label: "http_request_duration_seconds", dimensions: [("route", route)])
        timers[route] = timer
        return timer
    }
}
