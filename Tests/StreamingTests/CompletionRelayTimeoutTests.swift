import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite("An upstream that takes too long")
struct CompletionRelayTimeoutTests {
    typealias C = Completions

    static func upstream(
        firstToken: Duration = .seconds(60), silence: Duration = .seconds(60), total: Duration = .seconds(600)
    ) -> UpstreamDescription {
        UpstreamDescription(firstTokenTimeout: firstToken, silenceTimeout: silence, totalTimeout: total)
    }

    /// The same step again and again.
    static func keepOn(_ upstream: ScriptedUpstream, every pause: Duration, _ step: @escaping ScriptedUpstream.Step) {
        for _ in 0..<40 { upstream.after(pause, step) }
    }

    @Test("to connect or to begin its answer is told apart", arguments: [TimeoutPhase.connect, .firstByte])
    func transport(phase: TimeoutPhase) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in relay.failed(UpstreamFault.timedOut(phase)) }
        }
        #expect(seen.thrown?.code == .upstreamTimeout)
        #expect(seen.thrown?.phase == phase)
    }

    @Test("to give a text is not saved by comments, nor by empty events", arguments: [true, false])
    func firstToken(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(
            upstreams: [Self.upstream(firstToken: .milliseconds(150))], collecting: collecting
        ) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            Self.keepOn(scene.upstream, every: .milliseconds(20)) { relay, _ in relay.wakeUp(": comment\n\n" + C.event("")) }
        }
        #expect(seen.thrown?.code == .upstreamTimeout)
        #expect(seen.thrown?.phase == .firstToken)
        #expect(seen.progress == RelayScene.usage(0, 0, .estimated))
        #expect(seen.calls == ["cancel"])
    }

    @Test("to give a text is told as not having begun where no head has come, which shows it away", arguments: [true, false])
    func mute(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(
            upstreams: [Self.upstream(firstToken: .milliseconds(50))], collecting: collecting
        ) { _ in }
        #expect(seen.thrown?.phase == .firstByte)
        #expect(seen.failedAttempts.map(\.fault) == ["timeout_first_byte"])
        #expect(seen.calls == ["cancel"])
    }

    @Test("to give a text is told as not connecting where there is no connection yet")
    func unconnected() async throws {
        let seen = try await RelayScene.observe(upstreams: [Self.upstream(firstToken: .milliseconds(50))]) { scene in
            scene.upstream.connects = false
        }
        #expect(seen.thrown?.phase == .connect)
    }

    @Test("to begin the second attempt is not excused by the head of the first")
    func muteAgain() async throws {
        let slow = Self.upstream(firstToken: .milliseconds(50))
        let seen = try await RelayScene.observe(upstreams: [slow, slow]) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
        }
        #expect(seen.failedAttempts.map(\.fault) == ["timeout_first_token", "timeout_first_byte"])
    }

    @Test("to give a text is saved by thoughts, which are tokens and no output")
    func thinking() async throws {
        var description = Self.upstream(firstToken: .milliseconds(150))
        description.kind = .chat
        let seen = try await RelayScene.observe(upstreams: [description]) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            for _ in 0..<10 {
                scene.upstream.after(.milliseconds(40)) { relay, _ in
                    relay.wakeUp(#"data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"# + "\n\n")
                }
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.wakeUp(#"data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"# + "\n\n" + C.done)
            }
        }
        #expect(seen.outcome?.ending == .done)
        #expect(seen.text == C.frame("a") + C.lastFrame("stop", 7, 11, "counted", details: #","reasoning_tokens":10"#))
    }

    @Test("to give a text is tried on another upstream, not on the same")
    func firstTokenElsewhere() async throws {
        let slow = Self.upstream(firstToken: .milliseconds(50))
        let seen = try await RelayScene.observe(upstreams: [slow, slow]) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            scene.upstreams[1].after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a", finish: "stop") + C.done)
            }
        }
        #expect(seen.attempts == [1, 1])
        #expect(seen.outcome?.ending == .done)
    }

    @Test("to go on is saved by events, and neither by its comments nor by our own", arguments: [true, false])
    func silence(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(
            timing: RelayTiming(heartbeat: .milliseconds(20)), upstreams: [Self.upstream(silence: .milliseconds(250))],
            collecting: collecting
        ) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
            }
            // 400 ms of nothing but empty events, which are not silence.
            for _ in 0..<4 { scene.upstream.after(.milliseconds(100)) { relay, _ in relay.wakeUp(C.event("")) } }
            scene.upstream.after(.zero) { relay, _ in relay.wakeUp(C.event("b") + "data: {\"cho") }
            Self.keepOn(scene.upstream, every: .milliseconds(20)) { relay, _ in relay.wakeUp("") }
        }
        if collecting {
            #expect(seen.thrown?.phase == .silence)
        } else {
            let frames = seen.texts.filter { $0 != ": keep-alive\n\n" }
            #expect(frames == [C.frame("a"), C.frame("b"), "event: error\ndata: {\"code\":\"upstream_timeout\"}\n\n"])
            #expect(seen.texts.count > frames.count, "the heartbeats went on")
            #expect(seen.outcome?.ending == .failed(UpstreamFault.timedOut(.silence).serviceError))
        }
        #expect(seen.progress == RelayScene.usage(7, 2, .counted))
        #expect(seen.calls == ["cancel"])
    }

    @Test("its comments do not save it from silence")
    func comments() async throws {
        let seen = try await RelayScene.observe(upstreams: [Self.upstream(silence: .milliseconds(120))]) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
            }
            Self.keepOn(scene.upstream, every: .milliseconds(20)) { relay, _ in relay.wakeUp(": ping\n\n") }
        }
        #expect(seen.outcome?.ending == .failed(UpstreamFault.timedOut(.silence).serviceError))
    }

    @Test("as a whole is cut though it keeps talking")
    func total() async throws {
        let seen = try await RelayScene.observe(upstreams: [Self.upstream(total: .milliseconds(250))]) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            Self.keepOn(scene.upstream, every: .milliseconds(20)) { relay, _ in relay.wakeUp(C.event("a")) }
        }
        #expect(seen.outcome?.ending == .failed(UpstreamFault.timedOut(.total).serviceError))
        #expect(seen.writes.last.map { 240..<500 ~= $0.at } == true)
        #expect(seen.texts.last == "event: error\ndata: {\"code\":\"upstream_timeout\"}\n\n")
    }

    @Test("is not blamed for the silence of a client that does not read, until that client reads again")
    func pausedSilence() async throws {
        let seen = try await RelayScene.observe(upstreams: [Self.upstream(silence: .milliseconds(80))]) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                scene.sink.isFull = true
                relay.wakeUp(C.event("a"))
            }
            scene.upstream.after(.milliseconds(300)) { _, _ in
                #expect(scene.registry.count == 1)
                scene.sink.isFull = false
                scene.sink.source?.sinkDrained()
            }
        }
        #expect(seen.outcome?.ending == .failed(UpstreamFault.timedOut(.silence).serviceError))
        #expect(seen.writes.last.map { $0.at >= 372 } == true)
        #expect(seen.calls == ["pause", "resume", "cancel"])
    }

    @Test("as a whole is cut also while the client does not read")
    func pausedTotal() async throws {
        let seen = try await RelayScene.observe(upstreams: [Self.upstream(total: .milliseconds(150))]) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                scene.sink.isFull = true
                relay.wakeUp(C.event("a"))
            }
        }
        #expect(seen.outcome?.ending == .failed(UpstreamFault.timedOut(.total).serviceError))
    }

    @Test("has all attempts together for the whole")
    func totalOverAttempts() async throws {
        let short = Self.upstream(total: .milliseconds(200))
        let seen = try await RelayScene.observe(upstreams: [short, short]) { scene in
            scene.upstream.after(.milliseconds(120)) { relay, _ in relay.failed(UpstreamFault.endedEarly) }
            scene.upstreams[1].after(.milliseconds(120)) { relay, _ in relay.head() }
        }
        #expect(seen.attempts == [1, 1])
        #expect(seen.thrown?.phase == .total)
    }

    @Test("each phase has a sentence of its own for the client")
    func details() {
        let errors = TimeoutPhase.allCases.map { UpstreamFault.timedOut($0).serviceError }
        #expect(Set(errors.map(\.detail)).count == TimeoutPhase.allCases.count)
        #expect(errors.allSatisfy { $0.code == .upstreamTimeout && $0.retryable })
        #expect(errors.map { $0.phase?.rawValue } == ["connect", "first_byte", "first_token", "silence", "total"])
    }
}
