import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite("A completion that its owner stops")
struct CompletionRelayStopTests {
    typealias C = Completions

    static func stop(_ scene: RelayScene.Scene) {
        #expect(scene.registry.stop(RelayScene.ids.completion, owner: RelayScene.ids.user))
    }

    static let nothing = C.lastFrame("stopped", 0, 0, "exact")

    @Test("ends at once when it starts, where it was stopped before, and has cost nothing", arguments: [true, false])
    func beforeStart(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(collecting: collecting, beforeStart: Self.stop) { _ in }
        #expect(seen.attempts == [0])
        #expect(seen.outcome?.ending == .stopped)
        #expect(seen.outcome?.usage == RelayScene.usage(0, 0, .exact))
        #expect(seen.outcome?.finishReason == "stopped")
        #expect(seen.texts == (collecting ? [] : [Self.nothing]))
        #expect(seen.stillOpen == 0)
    }

    @Test("is ended by a drain or a revocation just so")
    func abortedBeforeStart() async throws {
        let seen = try await RelayScene.observe(beforeStart: { $0.registry.abortAll(ServiceError(.shuttingDown)) }) { _ in }
        #expect(seen.attempts == [0])
        #expect(seen.thrown?.code == .shuttingDown)
        #expect(seen.progress == RelayScene.usage(0, 0, .exact))
    }

    enum Window: CaseIterable { case beforeHead, beforeOutput, betweenAttempts, inTheMidst, whilePaused }

    @Test("ends well with what it has, in every phase", arguments: Window.allCases)
    func stops(window: Window) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                switch window {
                case .beforeHead: break
                case .beforeOutput: relay.head()
                case .betweenAttempts:
                    relay.answered(UpstreamAnswer(status: 503, contentType: nil, retryAfter: "2", unixSeconds: 0))
                    relay.completed()
                case .inTheMidst, .whilePaused:
                    scene.sink.isFull = window == .whilePaused
                    relay.head()
                    relay.wakeUp(C.event("a") + "data: {\"cho")
                }
                Self.stop(scene)
                #expect(!scene.registry.stop(RelayScene.ids.completion, owner: RelayScene.ids.user))
            }
        }
        #expect(seen.outcome?.ending == .stopped)
        #expect(seen.outcome?.finishReason == "stopped")
        switch window {
        case .beforeHead, .beforeOutput:
            #expect(seen.texts == [C.lastFrame("stopped", 7, 0, "estimated")])
        case .betweenAttempts: #expect(seen.texts == [Self.nothing])
        case .inTheMidst, .whilePaused:
            #expect(seen.texts == [C.frame("a"), C.lastFrame("stopped", 7, 1, "counted")])
        }
        #expect(seen.writes.last?.isLast == true)
        #expect(seen.calls.last == (window == .betweenAttempts ? nil : "cancel"))
        #expect(seen.attempts == [1])
        #expect(seen.stillOpen == 0)
    }

    @Test("while it is being admitted, ends well before anybody is asked", arguments: [true, false])
    func beforeAdmission(collecting: Bool) async throws {
        let seen = try await RelayScene.observe(
            collecting: collecting, beforeAdmission: { Self.stop($0) }, { RelayScene.succeed($0.upstream) })
        #expect(seen.outcome?.ending == .stopped)
        #expect(seen.attempts == [0])
        if !collecting { #expect(seen.texts == [Self.nothing]) }
        #expect(seen.stillOpen == 0)
    }

    enum Abort: CaseIterable { case revokedWhileAdmitted, drainedWhileAdmitted, drainedBefore, drainedBetween }

    @Test("that the server ends before its relay is known does not run", arguments: Abort.allCases)
    func aborted(_ abort: Abort) async throws {
        let end: @Sendable (RelayScene.Scene) -> Void = { scene in
            if abort == .revokedWhileAdmitted {
                scene.registry.abort(session: RelayScene.ids.session, ServiceError(.sessionRevoked))
            } else {
                scene.registry.abortAll(ServiceError(.shuttingDown))
            }
        }
        let seen = try await RelayScene.observe(
            beforeAdmission: { if abort != .drainedBetween, abort != .drainedBefore { end($0) } },
            beforeStart: { if abort == .drainedBetween { end($0) } }
        ) { scene in
            if abort == .drainedBefore { end(scene) }
            RelayScene.succeed(scene.upstream)
        }
        #expect(seen.thrown?.code == (abort == .revokedWhileAdmitted ? .sessionRevoked : .shuttingDown))
        #expect(seen.attempts == [0])
        #expect(seen.stillOpen == 0)
    }

    @Test("is stopped by nobody else while it is being admitted, and no longer known once it is refused")
    func foreignAwaited() async throws {
        let seen = try await RelayScene.observe(
            beforeAdmission: { scene in
                let other = UUIDBytes(high: 9, low: 9)
                #expect(!scene.registry.stop(RelayScene.ids.completion, owner: UserID(other)))
                #expect(!scene.registry.stop(CompletionID(other), owner: RelayScene.ids.user))
                #expect(scene.registry.count == 0)
            }, { RelayScene.succeed($0.upstream) })
        #expect(seen.outcome?.ending == .done)
    }

    @Test("gives what was collected so far")
    func collecting() async throws {
        let seen = try await RelayScene.observe(collecting: true) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
                Self.stop(scene)
            }
        }
        #expect(seen.collected == "a")
        #expect(seen.outcome?.finishReason == "stopped")
        #expect(seen.calls == ["cancel"])
    }

    @Test("is not stopped by anybody else, nor under another id")
    func foreign() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                let other = UUIDBytes(high: 9, low: 9)
                #expect(!scene.registry.stop(RelayScene.ids.completion, owner: UserID(other)))
                #expect(!scene.registry.stop(CompletionID(other), owner: RelayScene.ids.user))
                relay.head()
                relay.wakeUp(C.event("a", finish: "stop") + C.done)
            }
        }
        #expect(seen.outcome?.ending == .done)
    }
}
