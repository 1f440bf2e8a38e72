import EventLoop
import HTTPServer
import PlaygroundCore
import Presets
import RateLimit
import Streaming
import StrictJSON

/// What a frontend has to know before it draws anything: the server's ways, and the models with their knobs.
final class InfoHandlers {
    private let configuration: Configuration
    private let standings: StandingReader

    init(configuration: Configuration, standings: StandingReader) {
        self.configuration = configuration
        self.standings = standings
    }

    func info(_ context: RequestContext) -> Response {
        let configuration = configuration
        let timeouts = configuration.longestTimeouts
        return .json { writer in
            writer.member("version", Version.current)
            writer.member("registration", configuration.isRegistrationOpen ? "open" : "closed")
            writer.member("login_methods", configuration.signIn.providers.isEmpty ? ["password"] : ["password", "oidc"])
            writer.member("account") { writer in
                writer.object { writer in
                    writer.member("password_reset", configuration.mail != nil)
                    writer.member("email_verification", configuration.mail != nil)
                    writer.member("email_change", configuration.mail != nil)
                }
            }
            writer.member("streaming") { writer in
                writer.object { writer in
                    writer.member("heartbeat_interval_ms", configuration.heartbeatInterval.wholeMilliseconds)
                    writer.member("commit_after_ms", configuration.commitAfter.wholeMilliseconds)
                    writer.member("upstream_connect_timeout_ms", timeouts.connect.wholeMilliseconds)
                    writer.member("upstream_first_byte_timeout_ms", timeouts.firstByte.wholeMilliseconds)
                    writer.member("upstream_first_token_timeout_ms", timeouts.firstToken.wholeMilliseconds)
                    writer.member("upstream_silence_timeout_ms", timeouts.silence.wholeMilliseconds)
                    writer.member("upstream_total_timeout_ms", timeouts.total.wholeMilliseconds)
                }
            }
            writer.member("limits") { writer in
                writer.object { writer in
                    writer.member("body_bytes", RequestContext.bodyLimit)
                    writer.member("prompt_bytes", CompletionParameters.Limits.promptBytes)
                    writer.member("preset_name_characters", PresetDraft.Limits.name.upperBound)
                    writer.member("presets", PresetDraft.Limits.presets)
                    writer.member("page_items", PageRequest.limits.upperBound)
                }
            }
        }
    }

    /// What the server allows and the caller's plan has, the model of a request that names none first.
    func models(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let limits = try await standings.standing(of: principal.userID).limits
        let policy = configuration.models
        // Where any model may be named, those are known that the plan names.
        let named = policy.allowed ?? Set(limits.models ?? [])
        let all = [policy.defaultModel] + named.subtracting([policy.defaultModel]).sorted()
        let names = limits.models.map { planned in all.filter { planned.contains($0) } } ?? all
        return .response(
            .json { writer in
                writer.member("data") { writer in
                    writer.array { writer in for name in names { model(name, limits, &writer) } }
                }
            })
    }

    private func model(_ name: String, _ limits: PlanLimits, _ writer: inout JSONWriter) {
        let knobs = ModelKnobs(of: name, from: configuration.upstreams.map(\.description))
        // A plan without a cap: what a request may say at most.
        let cap = limits[.maxTokensCap] ?? CompletionParameters.Limits.maxTokens.upperBound
        writer.object { writer in
            writer.member("id", name)
            writer.member("kind", knobs.kind.rawValue)
            writer.member("parameters") { writer in
                writer.object { writer in knobs.write(to: &writer, maxTokens: 1...cap, maxTokensDefault: limits.maxTokensDefault)
                }
            }
            writer.member("max_tokens_cap", cap)
        }
    }
}

/// The version of this program; also in `openapi.yaml`.
enum Version {
    static let current = "0.1.0"
}
