import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite("Before the answer has begun")
struct CompletionRelayRetryTests {
    typealias C = Completions

    static let two = [UpstreamDescription(name: "first"), UpstreamDescription(name: "second")]

    static func refuse(_ upstream: ScriptedUpstream, _ status: Int, retryAfterMilliseconds: String? = nil) {
        upstream.after(.zero) { relay, _ in
            relay.answered(
                UpstreamAnswer(
                    status: status, contentType: "application/json", retryAfterMilliseconds: retryAfterMilliseconds,
                    unixSeconds: 0))
            relay.completed()
        }
    }

    static let good = C.frame("ok") + C.lastFrame("stop", 3, 1, "exact")

    @Test("a failure that may pass is tried again, and the client sees nothing but the completion", arguments: [true, false])
    func again(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(collecting: collecting) { scene in
            Self.refuse(scene.upstream, 503)
            scene.upstream.again()
            scene.upstream.after(.zero) { relay, _ in relay.failed(UpstreamFault.unreachable("refused")) }
            scene.upstream.again()
            RelayScene.succeed(scene.upstream)
        }
        #expect(seen.attempts == [3])
        #expect(seen.outcome?.ending == .done)
        #expect(seen.outcome?.usage == RelayScene.usage(3, 1, .exact))
        if collecting { #expect(seen.collected == "ok") } else { #expect(seen.texts == [Self.good]) }
        #expect(seen.failedAttempts.map(\.fault) == ["status_503", "unreachable"])
    }

    @Test("an error inside a 200 is tried again as long as nothing came before it")
    func errorEvent() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("") + #"data: {"error":{"code":503}}"# + "\n\n")
            }
            scene.upstream.again()
            RelayScene.succeed(scene.upstream)
        }
        #expect(seen.texts == [Self.good])
        #expect(seen.calls == ["cancel"])
    }

    @Test("the head of an answer that failed does not end the wait for the next attempt")
    func headOfTheFirst() async throws {
        let seen = try await RelayScene.observe(timing: RelayTiming(holdAfterHead: .milliseconds(60))) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(#"data: {"error":{"code":503}}"# + "\n\n")
            }
            scene.upstream.again()
            RelayScene.succeed(scene.upstream)
        }
        #expect(seen.attempts == [2])
        #expect(seen.texts == [Self.good])
    }

    @Test("a failure that lasts is told after five attempts, within four seconds")
    func lasts() async throws {
        let seen = try await RelayScene.observe { scene in Self.refuse(scene.upstream, 503) }
        #expect(seen.attempts == [5])
        #expect(seen.thrown?.code == .upstreamUnavailable)
        #expect(seen.progress == RelayScene.usage(0, 0, .exact))
        #expect(seen.askedAt[0][4] < 4500)
        #expect(seen.failedAttempts.last?.next == .nothing)
        #expect(seen.stillOpen == 0)
    }

    @Test("what the upstream asks to wait is waited, never less")
    func retryAfter() async throws {
        let seen = try await RelayScene.observe { scene in
            Self.refuse(scene.upstream, 429, retryAfterMilliseconds: "300")
            scene.upstream.again()
            RelayScene.succeed(scene.upstream)
        }
        // The loop's clock is coarse by 4 ms.
        #expect(seen.askedAt[0][1] - seen.askedAt[0][0] >= 296)
        #expect(seen.outcome?.ending == .done)
        guard case .wait(let wait)? = seen.failedAttempts.first?.next else {
            Issue.record("did not wait: \(seen.failedAttempts)")
            return
        }
        #expect(wait >= .milliseconds(300))
    }

    @Test("a request that cannot succeed is asked once", arguments: [400, 404, 413, 422])
    func hopeless(status: Int) async throws {
        let seen = try await RelayScene.observe(upstreams: Self.two) { scene in Self.refuse(scene.upstream, status) }
        #expect(seen.attempts == [1, 0])
        #expect(seen.thrown?.code == .invalidRequest)
    }

    enum Failure: CaseIterable {
        case unreachable, connectTimeOut, wrongKey, broken, reset, truncated, empty, hollow, malformed, noStream, garbage,
            firstByte
    }

    @Test("a failure of the first upstream leads to the second at once", arguments: Failure.allCases)
    func failsOver(failure: Failure) async throws {
        let seen = try await RelayScene.observe(upstreams: Self.two) { scene in
            scene.upstream.after(.zero) { relay, _ in
                switch failure {
                case .unreachable: relay.failed(UpstreamFault.unreachable("refused"))
                case .connectTimeOut: relay.failed(UpstreamFault.timedOut(.connect))
                case .wrongKey:
                    relay.head(401, "application/json")
                    relay.completed()
                case .broken:
                    relay.head(500, "application/json")
                    relay.completed()
                case .reset: relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: false))
                case .truncated:
                    relay.head()
                    relay.wakeUp(C.event(""))
                    relay.failed(UpstreamFault.brokeOff("truncated", isAfterHead: true))
                case .empty:
                    relay.head()
                    relay.completed()
                case .hollow:
                    relay.head()
                    relay.wakeUp(C.event("", finish: "stop") + C.done)
                case .malformed:
                    relay.head()
                    relay.wakeUp("data: {\n\n")
                case .noStream:
                    relay.head(200, "text/html")
                    relay.wakeUp("<html>")
                case .garbage: relay.failed(UpstreamFault.malformedAnswer("x"))
                case .firstByte: relay.failed(UpstreamFault.timedOut(.firstByte))
                }
            }
            RelayScene.succeed(scene.upstreams[1])
        }
        #expect(seen.attempts == [1, 1])
        #expect(seen.texts == [Self.good])
        #expect(seen.outcome?.usage == RelayScene.usage(3, 1, .exact))
        #expect(seen.failedAttempts.map(\.next) == [.ask(upstream: "second")])
        #expect(seen.failedAttempts.map(\.upstream) == ["first"])
    }

    @Test("lower priorities are asked first, and the order given decides among equals")
    func priority() async throws {
        let descriptions = [("c", 2), ("a", 1), ("b", 1)].map { UpstreamDescription(name: $0.0, priority: $0.1) }
        let seen = try await RelayScene.observe(upstreams: descriptions) { scene in
            for upstream in scene.upstreams { Self.refuse(upstream, 500) }
        }
        #expect(seen.failedAttempts.map(\.upstream) == ["a", "b", "c"])
        #expect(seen.thrown?.code == .upstreamError)
    }

    @Test("an upstream that has not the model is not asked; where none has it, that is said before anything is reserved")
    func models() async throws {
        var (other, right) = (Self.two[0], Self.two[1])
        other.models = ["another"]
        right.models = ["m"]
        let seen = try await RelayScene.observe(upstreams: [other, right]) { scene in RelayScene.succeed(scene.upstreams[1]) }
        #expect(seen.attempts == [0, 1])
        await #expect { try await RelayScene.observe(upstreams: [other]) { _ in } } throws: { error in
            (error as? ServiceError)?.code == .modelNotAllowed && (error as? ServiceError)?.param == "model"
        }
    }

    @Test("nothing is asked again once a byte of output is there, not even in the same wake-up", arguments: [true, false])
    func afterOutput(sameWakeUp: Bool) async throws {
        let seen = try await RelayScene.observe(upstreams: Self.two) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.give(C.event("a"))
                if !sameWakeUp { relay.readEnded() }
                relay.wakeUp(#"data: {"error":{"code":503}}"# + "\n\n")
            }
        }
        #expect(seen.attempts == [1, 0])
        #expect(seen.text == C.frame("a") + "event: error\ndata: {\"code\":\"upstream_unavailable\"}\n\n")
        #expect(seen.outcome?.usage == RelayScene.usage(7, 1, .counted))
    }

    @Test("nothing is asked again once the head is out, nor once text was collected", arguments: [true, false])
    func afterHead(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(
            timing: RelayTiming(commitAfter: .milliseconds(40)), upstreams: Self.two, collecting: collecting
        ) { scene in
            scene.upstream.after(.milliseconds(100)) { relay, _ in
                relay.head()
                if collecting { relay.wakeUp(C.event("a")) }
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
            }
        }
        #expect(seen.attempts == [1, 0])
        if collecting {
            #expect(seen.thrown?.code == .upstreamError)
            #expect(seen.progress == RelayScene.usage(7, 1, .counted))
        } else {
            #expect(seen.texts == [": keep-alive\n\n", "event: error\ndata: {\"code\":\"upstream_error\"}\n\n"])
        }
    }

    @Test("the prompt is given up when the answer begins, and not before")
    func promptIsFreed() async throws {
        let seen = try await RelayScene.observe { scene in
            Self.refuse(scene.upstream, 503)
            scene.upstream.again()
            scene.upstream.after(.zero) { relay, _ in
                #expect(relay.pending != nil)
                relay.head()
                relay.wakeUp(C.event(""))
                #expect(relay.pending != nil)
                relay.wakeUp(C.event("a"))
                #expect(relay.pending == nil)
                relay.wakeUp(C.event("b", finish: "stop") + C.done)
            }
        }
        #expect(seen.outcome?.ending == .done)
    }

    @Test("a failed attempt costs nothing, also where it told of usage; the completion costs what the last one gave")
    func usage() async throws {
        let seen = try await RelayScene.observe(upstreams: Self.two) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.give(C.usage(500, 20))
                relay.completed()
            }
            scene.upstreams[1].after(.zero) { relay, _ in
                #expect(relay.progress == RelayScene.usage(7, 0, .estimated))
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: false))
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.progress == RelayScene.usage(0, 0, .estimated))
    }

    @Test("a refusal that never ends is judged by its status after a moment")
    func endlessRefusal() async throws {
        let seen = try await RelayScene.observe(timing: RelayTiming(lingering: .milliseconds(40)), upstreams: Self.two) { scene in
            scene.upstream.after(.zero) { relay, _ in relay.head(503, "application/json") }
            RelayScene.succeed(scene.upstreams[1])
        }
        #expect(seen.texts == [Self.good])
        #expect(seen.calls == ["cancel"])
    }

    @Test("a client that leaves between two attempts ends all of it, and pays nothing")
    func goneWhileWaiting() async throws {
        let seen = try await RelayScene.observe { scene in
            Self.refuse(scene.upstream, 503, retryAfterMilliseconds: "2000")
            scene.upstream.after(.milliseconds(20)) { _, _ in scene.sink.close() }
        }
        #expect(seen.outcome?.ending == .clientGone)
        #expect(seen.outcome?.usage == RelayScene.usage(0, 0, .exact))
        #expect(seen.attempts == [1])
    }
}
