import EventLoop
import HTTPServer
import PlaygroundCore
import Presets
import Streaming
import StrictJSON

/// What a frontend has to know before it draws anything: the server's ways, and the models with their knobs.
final class InfoHandlers {
    private let configuration: Configuration

    init(configuration: Configuration) { self.configuration = configuration }

    func info(_ context: RequestContext) -> Response {
        let configuration = configuration
        let timeouts = configuration.longestTimeouts
        return .json { writer in
            writer.member("version", Version.current)
            writer.member("registration", configuration.isRegistrationOpen ? "open" : "closed")
            writer.member("login_methods", ["password"])
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

    func models(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let policy = configuration.models
        let names = [policy.defaultModel] + (policy.allowed ?? []).subtracting([policy.defaultModel]).sorted()
        return .response(
            .json { writer in
                writer.member("data") { writer in
                    writer.array { writer in for name in names { model(name, &writer) } }
                }
            })
    }

    private func model(_ name: String, _ writer: inout JSONWriter) {
        let plan = configuration.plan
        let knobs = ModelKnobs(of: name, from: configuration.upstreams.map(\.description))
        writer.object { writer in
            writer.member("id", name)
            writer.member("kind", knobs.kind.rawValue)
            writer.member("parameters") { writer in
                writer.object { writer in knobs.write(to: &writer, plan: plan) }
            }
            writer.member("max_tokens_cap", plan.maxTokensCap)
        }
    }
}

/// The version of this program; also in `openapi.yaml`.
enum Version {
    static let current = "0.1.0"
}
