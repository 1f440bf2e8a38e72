import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite struct CompletionRelayTests {
    typealias C = Completions

    // MARK: Well ended

    @Test("every wake-up is one write of whole frames, and the last one ends the body")
    func streams() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.readEnded()
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.give(C.event("a"))
                relay.give(C.event("b") + "data: {\"choi")
                relay.readEnded()
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.give("ces\":[{\"text\":\"c\",\"finish_reason\":\"stop\"}]}\n\n" + C.usage(3, 4) + C.done)
                relay.completed()
            }
        }
        #expect(seen.texts == [C.frame("a") + C.frame("b"), C.frame("c") + C.lastFrame("stop", 3, 4, "exact")])
        #expect(seen.writes.map(\.isLast) == [false, true])
        #expect(seen.outcome?.ending == .done)
        #expect(seen.outcome?.usage == RelayScene.usage(3, 4, .exact))
        #expect(seen.outcome?.finishReason == "stop")
        #expect(seen.outcome?.model == "babbage:2023-07-21-v2")
        #expect(seen.calls == [])
        #expect(seen.stillOpen == 0)
        #expect(!seen.sinkHasSource)
    }

    @Test("the client's end does not wait for the upstream's; one that never comes is cut off")
    func lingers() async throws {
        let timing = RelayTiming(lingering: .milliseconds(20))
        for endsInTime in [true, false] {
            let seen = try await RelayScene.observe(timing: timing, lingerFor: .milliseconds(150)) { scene in
                scene.upstream.after(.zero) { relay, _ in
                    relay.head()
                    relay.wakeUp(C.event("a", finish: "stop") + C.done)
                }
                scene.upstream.after(.zero) { relay, _ in
                    relay.wakeUp(C.event("LATE"))
                    if endsInTime { relay.completed() }
                }
            }
            #expect(seen.text == C.frame("a") + C.lastFrame("stop", 7, 1, "counted"))
            #expect(seen.outcome?.ending == .done)
            #expect(seen.calls == (endsInTime ? [] : ["cancel"]))
        }
    }

    @Test("a break after the upstream said it is done changes nothing")
    func brokenAfterDone() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.give(C.event("a", finish: "stop") + C.done)
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
            }
        }
        #expect(seen.outcome?.ending == .done)
        #expect(seen.text == C.frame("a") + C.lastFrame("stop", 7, 1, "counted"))
    }

    // MARK: When the answer begins

    @Test("an answer without output begins with a comment when the request is old enough, whatever the upstream does")
    func commitsByAge() async throws {
        let timing = RelayTiming(commitAfter: .milliseconds(40))
        let seen = try await RelayScene.observe(timing: timing) { scene in
            scene.upstream.after(.milliseconds(120)) { relay, _ in
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
            }
        }
        #expect(seen.texts == [": keep-alive\n\n", "event: error\ndata: {\"code\":\"upstream_error\"}\n\n"])
        #expect(seen.writes.first.map { $0.at >= 36 } == true)
        #expect(seen.thrown == nil)
        #expect(seen.outcome?.usage == RelayScene.usage(0, 0, .estimated))
    }

    @Test("an answer without output begins so long after the upstream's 200")
    func commitsAfterHead() async throws {
        let timing = RelayTiming(holdAfterHead: .milliseconds(40))
        let seen = try await RelayScene.observe(timing: timing) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head() }
            scene.upstream.after(.milliseconds(120)) { relay, _ in relay.wakeUp(C.event("a", finish: "stop") + C.done) }
        }
        #expect(seen.texts == [": keep-alive\n\n", C.frame("a") + C.lastFrame("stop", 7, 1, "counted")])
        #expect(seen.writes.first.map { $0.at >= 36 } == true)
    }

    @Test("an answer without output begins when 64 events are held back")
    func commitsWhenFull() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(String(repeating: C.event(""), count: 63))
            }
            scene.upstream.after(.zero) { relay, _ in relay.wakeUp(C.event("")) }
            scene.upstream.after(.zero) { relay, _ in relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true)) }
        }
        #expect(seen.texts == [": keep-alive\n\n", "event: error\ndata: {\"code\":\"upstream_error\"}\n\n"])
    }

    // MARK: Heartbeat

    @Test("after so much silence a comment goes out, again and again, never inside a frame, and output puts it off")
    func heartbeat() async throws {
        let timing = RelayTiming(heartbeat: .milliseconds(50))
        let seen = try await RelayScene.observe(timing: timing) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a") + "data: {\"cho")
            }
            scene.upstream.after(.milliseconds(30)) { relay, _ in
                relay.wakeUp("ices\":[{\"text\":\"b\"}]}\n\ndata: {\"choices\":[{\"te")
                var comments = 0
                scene.sink.onWrite = { sink in
                    comments += sink.writes.last?.text == ": keep-alive\n\n" ? 1 : 0
                    guard comments == 2 else { return }
                    sink.onWrite = { _ in }
                    scene.io.atEndOfTurn {
                        relay.give("xt\":\"c\",\"finish_reason\":\"stop\"}]}\n\n" + C.done)
                        relay.completed()
                    }
                }
            }
        }
        let frames = seen.texts.filter { $0 != ": keep-alive\n\n" }
        #expect(frames == [C.frame("a"), C.frame("b"), C.frame("c") + C.lastFrame("stop", 7, 3, "counted")])
        #expect(seen.texts.suffix(3).dropLast() == [": keep-alive\n\n", ": keep-alive\n\n"])
        for (write, next) in zip(seen.writes, seen.writes.dropFirst()) where next.text == ": keep-alive\n\n" {
            // The loop's clock is coarse by 4 ms.
            #expect(next.at - write.at >= 46)
        }
    }

    @Test("there is no heartbeat before the answer has begun, nor towards a client that does not read")
    func noHeartbeat() async throws {
        let timing = RelayTiming(heartbeat: .milliseconds(20))
        let seen = try await RelayScene.observe(timing: timing) { scene in
            scene.upstream.after(.milliseconds(80)) { relay, _ in
                relay.head()
                scene.sink.isFull = true
                relay.wakeUp(C.event("a"))
            }
            scene.upstream.after(.milliseconds(80)) { relay, _ in relay.abort(ServiceError(.shuttingDown)) }
        }
        #expect(seen.texts == [C.frame("a"), "event: error\ndata: {\"code\":\"shutting_down\"}\n\n"])
    }

    // MARK: Slow and leaving clients

    @Test("a full client pauses the upstream, and one that has drained resumes it, once each")
    func backpressure() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                scene.sink.isFull = true
                relay.wakeUp(C.event("a"))
                relay.wakeUp(C.event("b"))
            }
            scene.upstream.after(.zero) { relay, _ in
                scene.sink.isFull = false
                scene.sink.source?.sinkDrained()
                scene.sink.source?.sinkDrained()
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.give(C.event("c", finish: "stop") + C.done)
                relay.completed()
            }
        }
        #expect(seen.calls == ["pause", "resume"])
        #expect(seen.outcome?.ending == .done)
    }

    @Test("one long wake-up is written in parts, so that a slow client can stop it in between")
    func longWakeUp() async throws {
        let long = C.event(String(repeating: "x", count: 40_000))
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                for _ in 0..<5 { relay.give(long) }
                relay.readEnded()
                relay.give(C.event("", finish: "stop") + C.done)
                relay.completed()
            }
        }
        #expect(seen.writes.count == 6)
        #expect(seen.writes.allSatisfy { $0.text.utf8.count < 64 * 1024 })
        #expect(seen.outcome?.usage.completionTokens == 5)
    }

    enum Window: CaseIterable { case beforeHead, beforeOutput, inTheMidst, whileWriting }

    @Test("a client that leaves closes the upstream at once, and what was used is known", arguments: Window.allCases)
    func clientGone(window: Window) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, exchange in
                if window == .beforeHead { return scene.sink.close() }
                relay.head()
                if window == .beforeOutput { return scene.sink.close() }
                if window == .whileWriting { scene.sink.onWrite = { $0.close() } }
                relay.wakeUp(C.event("a"))
                if window == .inTheMidst { scene.sink.close() }
            }
        }
        #expect(seen.outcome?.ending == .clientGone)
        #expect(seen.calls == ["cancel"])
        let isBefore = window == .beforeHead || window == .beforeOutput
        #expect(seen.outcome?.usage == (isBefore ? RelayScene.usage(7, 0, .estimated) : RelayScene.usage(7, 1, .counted)))
        #expect(seen.stillOpen == 0)
        #expect(!seen.sinkHasSource)
    }

    @Test("a client that has left already costs no request", arguments: [true, false])
    func goneBefore(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(collecting: collecting) { scene in scene.sink.isClosed = true }
        #expect(seen.outcome?.ending == .clientGone)
        #expect(seen.progress == RelayScene.usage(0, 0, .exact))
        #expect(seen.calls == [])
    }

    // MARK: Ending from outside

    @Test("a drain or a revocation ends an open stream with its error", arguments: [true, false])
    func abort(afterOutput: Bool) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                if afterOutput { relay.wakeUp(C.event("a")) }
                #expect(scene.registry.count == 1)
                #expect(scene.registry[RelayScene.ids.completion] === relay)
                scene.registry.abort(session: SessionID(UUIDBytes(high: 9, low: 9)), ServiceError(.sessionRevoked))
                #expect(scene.registry.count == 1)
                scene.registry.abort(session: RelayScene.ids.session, ServiceError(.sessionRevoked))
                #expect(scene.registry.count == 0)
                scene.registry.abortAll(ServiceError(.shuttingDown))
            }
        }
        #expect(seen.calls == ["cancel"])
        if afterOutput {
            #expect(seen.text == C.frame("a") + "event: error\ndata: {\"code\":\"session_revoked\"}\n\n")
            #expect(seen.writes.last?.isLast == true)
        } else {
            #expect(seen.thrown?.code == .sessionRevoked)
            #expect(seen.writes.isEmpty)
        }
    }

    // MARK: Collecting

    @Test("collecting gives all text at once and writes nothing")
    func collects() async throws {
        let timing = RelayTiming(heartbeat: .milliseconds(10), commitAfter: .milliseconds(10), holdAfterHead: .milliseconds(10))
        let seen = try await RelayScene.observe(timing: timing, collecting: true) { scene in
            scene.upstream.after(.milliseconds(40)) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a\\n"))
            }
            scene.upstream.after(.milliseconds(40)) { relay, _ in
                relay.give(C.event("b", finish: "stop") + C.usage(3, 2) + C.done)
                relay.completed()
            }
        }
        #expect(seen.collected == "a\\nb")
        #expect(seen.outcome?.usage == RelayScene.usage(3, 2, .exact))
        #expect(seen.outcome?.finishReason == "stop")
        #expect(seen.writes.isEmpty)
    }

    @Test("collecting fails as a whole, also after text came")
    func collectingFails() async throws {
        let seen = try await RelayScene.observe(collecting: true) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
                relay.completed()
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.progress == RelayScene.usage(7, 1, .counted))
    }

    @Test("collected text is bounded")
    func collectsTooMuch() async throws {
        let long = C.event(String(repeating: "x", count: 900_000))
        let seen = try await RelayScene.observe(collecting: true) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                for _ in 0..<5 { relay.wakeUp(long) }
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.calls == ["cancel"])
    }

    @Test("a client that leaves while its answer is collected closes the upstream")
    func goneWhileCollecting() async throws {
        let seen = try await RelayScene.observe(collecting: true) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
                scene.sink.close()
            }
        }
        #expect(seen.outcome?.ending == .clientGone)
        #expect(seen.outcome?.usage == RelayScene.usage(7, 1, .counted))
        #expect(seen.calls == ["cancel"])
        #expect(seen.writes.isEmpty)
    }
}
