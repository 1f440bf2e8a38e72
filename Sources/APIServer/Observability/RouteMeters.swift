import Metrics

/// The numbers of one route on one loop. Looked up once, when the route is made, instead of by its labels for each request.
final class RouteMeters {
    /// The route's pattern, as logs and metrics name it; never the path itself.
    let route: String
    /// What machines ask every few seconds, of no interest in a log.
    let isProbe: Bool
    private let duration: Timer
    /// By status; few occur.
    private var answers: [(status: Int, counter: Counter)] = []

    init(route: String) {
        self.route = route
        isProbe = ["/healthz", "/readyz", "/metrics"].contains(route)
        duration = Timer(label: "http_request_duration_seconds", dimensions: [("route", route)])
    }

    func answered(status: Int, nanoseconds: Int64) {
        duration.recordNanoseconds(nanoseconds)
        for answer in answers where answer.status == status { return answer.counter.increment() }
        let counter = Counter(label: "http_requests_total", dimensions: [("route", route), ("status", String(status))])
        answers.append((status, counter))
        counter.increment()
    }
}
