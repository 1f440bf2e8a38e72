import EventLoop
import HTTPServer
import PlaygroundCore
import RateLimit
import StrictJSON

/// What a user may spend, and what is left of it now.
final class LimitHandlers {
    private let standings: StandingReader

    init(standings: StandingReader) { self.standings = standings }

    /// Asking costs nothing, and writes nothing.
    func limits(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let standing = try await standings.standing(of: principal.userID)
        return .response(
            .json { writer in
                writer.member("plan", standing.plan)
                writer.bucket("requests_per_minute", standing.buckets.requests)
                writer.bucket("tokens_per_minute", standing.buckets.tokens)
                writer.member("streams") { writer in
                    writer.object { writer in
                        writer.member("limit", standing.limits[.concurrentStreams])
                        writer.member("in_flight", standing.inFlight)
                    }
                }
                writer.member("max_tokens") { writer in
                    writer.object { writer in
                        writer.member("cap", standing.limits[.maxTokensCap])
                        writer.member("default", standing.limits.maxTokensDefault)
                    }
                }
                writer.member("models", standing.limits.models)
                writer.budget("tokens_per_day", standing.day)
                writer.budget("tokens_per_month", standing.month)
                writer.member("completions_paused", standing.isPaused)
                writer.member("pause_reason", standing.pauseReason)
            })
    }
}

extension PlanLimits {
    /// The `max_tokens` of a request that names none, which the cap lowers too.
    var maxTokensDefault: Int64? {
        self[.maxTokensDefault].map { min($0, self[.maxTokensCap] ?? $0) }
    }
}

extension JSONWriter {
    fileprivate mutating func bucket(_ name: StaticString, _ level: BucketSnapshot.Level?) {
        guard let level else { return }
        member(name) { writer in
            writer.object { writer in
                writer.member("limit", level.limit)
                writer.member("remaining", level.remaining)
                writer.member("reset_ms", level.reset.wholeMilliseconds)
            }
        }
    }

    fileprivate mutating func budget(_ name: StaticString, _ budget: UserStanding.Budget?) {
        guard let budget else { return }
        member(name) { writer in
            writer.object { writer in
                writer.member("limit", budget.limit)
                writer.member("used", budget.used)
                writer.member("remaining", budget.remaining)
                writer.member("resets_at", budget.resetsAt)
            }
        }
    }
}
