import EventLoop
import HTTPClient
import HTTPServer
import PlaygroundCore
import Presets
import StrictJSON

/// What a frontend has to know before it draws anything: the server's ways, and the models with their knobs.
final class InfoHandlers {
    private let configuration: Configuration

    init(configuration: Configuration) { self.configuration = configuration }

    func info(_ context: RequestContext) -> Response {
        let configuration = configuration
        return .json { writer in
            writer.member("version", Version.current)
            writer.member("registration", configuration.isRegistrationOpen ? "open" : "closed")
            writer.member("login_methods", ["password"])
            writer.member("streaming") { writer in
                writer.object { writer in
                    writer.member("heartbeat_interval_ms", configuration.heartbeatInterval.wholeMilliseconds)
                    writer.member("commit_after_ms", configuration.commitAfter.wholeMilliseconds)
                    writer.member("upstream_first_byte_timeout_ms", configuration.upstreams[0].timeouts.firstByte.wholeMilliseconds)
                    writer.member("upstream_silence_timeout_ms", configuration.upstreams[0].timeouts.silence.wholeMilliseconds)
                    writer.member("upstream_total_timeout_ms", configuration.upstreams[0].timeouts.total.wholeMilliseconds)
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
        writer.object { writer in
            writer.member("id", name)
            writer.member("kind", "completion")
            writer.member("parameters") { writer in
                writer.object { writer in
                    Self.number("temperature", CompletionParameters.Limits.temperature, &writer)
                    Self.number("top_p", CompletionParameters.Limits.topP, &writer)
                    Self.number("frequency_penalty", CompletionParameters.Limits.penalty, &writer)
                    Self.number("presence_penalty", CompletionParameters.Limits.penalty, &writer)
                    writer.member("max_tokens") { writer in
                        writer.object { writer in
                            writer.member("type", "integer")
                            writer.member("minimum", 1)
                            writer.member("maximum", plan.maxTokensCap)
                            writer.member("default", plan.maxTokensDefault)
                        }
                    }
                    writer.member("stop") { writer in
                        writer.object { writer in
                            writer.member("type", "array")
                            writer.member("max_items", CompletionParameters.Limits.stops)
                        }
                    }
                }
            }
            writer.member("max_tokens_cap", plan.maxTokensCap)
        }
    }

    private static func number(_ name: String, _ range: ClosedRange<Double>, _ writer: inout JSONWriter) {
        writer.member(name) { writer in
            writer.object { writer in
                writer.member("type", "number")
                writer.member("minimum", range.lowerBound)
                writer.member("maximum", range.upperBound)
            }
        }
    }
}

/// The version of this program; also in `openapi.yaml`.
enum Version {
    static let current = "0.1.0"
}
