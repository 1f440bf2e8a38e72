/// What each metric means, for its HELP line.
enum MetricDescriptions {
    static func describe(in metrics: PrometheusMetrics) {
        metrics.describe("http_requests_total", "Requests answered, by route pattern and status.")
        metrics.describe("http_request_duration_seconds", "From a request's head to its answer, or to its stream's end.")
        metrics.describe("http_requests_malformed_total", "Connections closed because what came was no acceptable request.")
        metrics.describe("admission_duration_seconds", "From asking the limits to their decision, which the database makes.")
        metrics.describe("completions_open", "Completions running now.")
        metrics.describe("completions_total", "Completions that have ended, by how.")
        metrics.describe("completion_duration_seconds", "From admission to the completion's end.")
        metrics.describe("completion_tokens_total", "Tokens used, as far as known.")
        metrics.describe("mails_total", "Attempts to hand a mail in at the mail server, by kind and by what came of them.")
        metrics.describe("upstream_attempts_failed_total", "Attempts that came to nothing, by upstream and class of fault.")
        metrics.describe("audit_events_lost_total", "Audit events whose row was not written; their lines are in the log.")
        metrics.describe("upstream_circuits_open", "1 while an upstream is spared because it does not answer.")
    }
}
