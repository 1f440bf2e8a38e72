import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite("What a completion that fails has used")
struct CompletionRelayUsageTests {
    @Test(
        "an upstream that goes on far beyond max_tokens is cut off, and the completion ends well there", arguments: [true, false])
    func runaway(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(collecting: collecting, lingerFor: .milliseconds(50)) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            for _ in 0..<100 {
                scene.upstream.after(.zero) { relay, _ in relay.wakeUp(String(repeating: Completions.event(Self.word), count: 10))
                }
            }
        }
        #expect(seen.outcome?.ending == .done)
        #expect(seen.outcome?.finishReason == "length")
        #expect(seen.outcome?.usage == RelayScene.usage(7, 265, .counted))
        #expect(seen.calls == ["cancel"], "nothing more of it is paid for")
        #expect(seen.runaways == ["default"])
        if collecting {
            #expect(seen.collected == String(repeating: Self.word, count: 265))
        } else {
            #expect(seen.text.hasSuffix(Completions.frame(Self.word) + Completions.lastFrame("length", 7, 265, "counted")))
        }
    }

    @Test(
        "an upstream is not cut off that cuts its answer into letters, or whose thoughts are not among its tokens",
        arguments: [false, true])
    func letters(thinking: Bool) async throws {
        let seen = try await RelayScene.observe(upstreams: [UpstreamDescription(kind: thinking ? .chat : .completion)]) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(String(repeating: thinking ? Self.thought : Completions.event("a"), count: 1_500))
                relay.wakeUp(thinking ? Self.chatEnd : Completions.event("", finish: "stop") + Completions.usage(3, 100))
                relay.wakeUp(Completions.done)
            }
        }
        #expect(seen.outcome?.finishReason == "stop")
        #expect(seen.runaways.isEmpty)
    }

    @Test("an upstream that makes two events of every token, and a few besides, is not cut off")
    func fineGrained() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(
                    String(repeating: Completions.event("a"), count: 264) + String(repeating: Completions.event(""), count: 50))
                relay.wakeUp(Completions.event("", finish: "stop") + Completions.usage(3, 100) + Completions.done)
            }
        }
        #expect(seen.outcome?.finishReason == "stop")
        #expect(seen.outcome?.usage == RelayScene.usage(3, 100, .exact))
        #expect(seen.runaways.isEmpty)
    }

    static let word = String(repeating: "a", count: 16)
    static let chatEnd = #"data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"# + "\n\n"

    typealias C = Completions
    typealias Retry = CompletionRelayRetryTests

    static let thought = #"data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"# + "\n\n"
    static let one = [UpstreamDescription(name: "first", kind: .chat)]
    static let two = one + [UpstreamDescription(name: "second", kind: .chat)]

    /// Three thoughts, and then it breaks.
    static func thinkAndBreak(_ upstream: ScriptedUpstream) {
        upstream.after(.zero) { relay, _ in
            relay.head()
            relay.wakeUp(Self.thought + Self.thought + Self.thought)
        }
        upstream.after(.zero) { relay, _ in relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true)) }
    }

    enum End: CaseIterable { case broken, drained, left, stopped }

    @Test("the thoughts of a model that has not come to a text are counted, whoever ends it", arguments: End.allCases)
    func thoughts(end: End) async throws {
        for collecting in [true, false] {
            let seen = try await RelayScene.observe(upstreams: Self.one, collecting: collecting) { scene in
                scene.upstream.after(.zero) { relay, _ in
                    relay.head()
                    relay.wakeUp(Self.thought + Self.thought + Self.thought)
                    switch end {
                    case .broken: relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
                    case .drained: relay.abort(ServiceError(.shuttingDown))
                    case .left: scene.sink.close()
                    case .stopped: relay.stop()
                    }
                }
            }
            #expect(seen.progress == RelayScene.usage(7, 3, reasoning: 3, .counted))
        }
    }

    @Test("so are those after which the answer had to begin without a text")
    func thoughtsAfterComment() async throws {
        let seen = try await RelayScene.observe(timing: RelayTiming(commitAfter: .milliseconds(20)), upstreams: Self.two) {
            scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(Self.thought)
            }
            scene.upstream.after(.milliseconds(60)) { relay, _ in
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
            }
        }
        #expect(seen.attempts == [1, 0])
        #expect(seen.texts == [": keep-alive\n\n", "event: error\ndata: {\"code\":\"upstream_error\"}\n\n"])
        #expect(seen.outcome?.usage == RelayScene.usage(7, 1, reasoning: 1, .counted))
    }

    @Test("tokens that the upstream says it made are used, though no event gave any")
    func told() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.usage(5, 20))
                relay.completed()
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.progress == RelayScene.usage(5, 20, .exact))
    }

    @Test("what an attempt made that another upstream was asked after is nobody's")
    func retried() async throws {
        let saved = try await RelayScene.observe(upstreams: Self.two) { scene in
            Self.thinkAndBreak(scene.upstream)
            scene.upstreams[1].after(.zero) { relay, _ in
                #expect(relay.progress == RelayScene.usage(7, 0, .estimated))
                relay.head()
                relay.wakeUp(#"data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"# + "\n\n" + C.done)
            }
        }
        #expect(saved.outcome?.usage == RelayScene.usage(7, 1, .counted))
        let lost = try await RelayScene.observe(upstreams: Self.two) { scene in
            Self.thinkAndBreak(scene.upstream)
            Retry.refuse(scene.upstreams[1], 400)
        }
        #expect(lost.attempts == [1, 1])
        #expect(lost.progress == RelayScene.usage(0, 0, .estimated))
        let waited = try await RelayScene.observe(upstreams: Self.one) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(Self.thought + #"data: {"error":{"code":503}}"# + "\n\n")
                scene.sink.close()
            }
        }
        #expect(waited.outcome?.ending == .clientGone)
        #expect(waited.progress == RelayScene.usage(0, 0, .estimated))
    }

    static let silent: [(fault: UpstreamFault, source: UsageSource)] = [
        (.unreachable("refused"), .exact), (.timedOut(.connect), .exact), (.timedOut(.firstByte), .estimated),
        (.brokeOff("reset", isAfterHead: false), .estimated), (.malformedAnswer("x"), .estimated),
    ]

    @Test(
        "nothing at all is exact where the upstream refused or was never reached, and else the best that is known",
        arguments: silent)
    func silence(example: (fault: UpstreamFault, source: UsageSource)) async throws {
        let seen = try await RelayScene.observe(upstreams: Self.two) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.failed(example.fault) }
            Retry.refuse(scene.upstreams[1], 400)
        }
        #expect(seen.attempts == [1, 1])
        #expect(seen.progress == RelayScene.usage(0, 0, example.source))
    }

    @Test("a completion that the server ends while the model is silent has used nothing that is known")
    func drained() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in relay.abort(ServiceError(.shuttingDown)) }
        }
        #expect(seen.progress == RelayScene.usage(0, 0, .estimated))
    }
}
