import EventLoop
import PlaygroundCore

@testable import Streaming

/// A relay between a scripted upstream and a recording client, on a loop of its own.
enum RelayScene {
    /// What came of a relay that ran on a loop of its own.
    struct Observation: Sendable {
        var outcome: CompletionOutcome?
        var collected: String?
        var thrown: ServiceError?
        var writes: [RecordingSink.Write] = []
        var calls: [String] = []
        var progress: Usage?
        var stillOpen = 0
        var outputIsEmpty = true
        var sinkHasSource = false
        /// When each upstream was asked, in milliseconds since the start.
        var askedAt: [[Int64]] = []
        var failedAttempts: [FailedAttempt] = []
        /// The upstreams that were cut off far beyond `max_tokens`.
        var runaways: [String] = []

        /// How often each upstream was asked.
        var attempts: [Int] { askedAt.map(\.count) }
        var text: String { writes.map(\.text).joined() }
        var texts: [String] { writes.map(\.text) }
    }

    struct Scene {
        let io: LoopIO
        let upstreams: [ScriptedUpstream]
        let sink: RecordingSink
        let registry: RelayRegistry

        var upstream: ScriptedUpstream { upstreams[0] }
    }

    static let ids = (
        completion: CompletionID(UUIDBytes(high: 1, low: 2)), user: UserID(UUIDBytes(high: 5, low: 6)),
        session: SessionID(UUIDBytes(high: 3, low: 4))
    )

    /// Its prompt is taken to cost 7 tokens.
    static let request = UpstreamRequest(CompletionRequest(prompt: "Once upon a time there was"), model: "m", user: "u")

    /// Runs one completion to its end, the upstreams and the client doing what `script` sets up.
    /// - Parameters:
    ///   - beforeAdmission: done while its admission is being asked for.
    ///   - beforeStart: done once the completion has been admitted.
    static func observe(
        timing: RelayTiming = RelayTiming(), upstreams descriptions: [UpstreamDescription] = [UpstreamDescription()],
        collecting: Bool = false, lingerFor: Duration = .zero,
        beforeAdmission: @escaping @Sendable (Scene) -> Void = { _ in },
        beforeStart: @escaping @Sendable (Scene) -> Void = { _ in },
        _ script: @escaping @Sendable (Scene) -> Void
    ) async throws -> Observation {
        let loop = EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        return try await loop.run { loop in
            let io = loop.io
            let transports = descriptions.map { _ in ScriptedUpstream(io: io) }
            let failures = FailureLog()
            let pool = UpstreamPool(
                zip(descriptions, transports).map { Upstream(description: $0, transport: $1) }, timing: timing, io: io,
                onFailedAttempt: { failures.attempts.append($0) }, onRunaway: { failures.runaways.append($1) })
            let sink = RecordingSink(io: io)
            let scene = Scene(io: io, upstreams: transports, sink: sink, registry: pool.openRelays)
            script(scene)
            let relay = try CompletionRelay(
                id: ids.completion, owner: ids.user, sessionID: ids.session, request: request, pool: pool, requestedAt: io.now
            ) { Array(#"{"code":"\#($0.code.rawValue)"}"#.utf8) }
            pool.openRelays.expect(relay)
            beforeAdmission(scene)
            // As a plan grants it; before that nobody knows it.
            relay.grant(maxTokens: 100, upstream: nil)
            pool.openRelays.insert(relay)
            beforeStart(scene)
            var seen = Observation()
            do throws(ServiceError) {
                if collecting {
                    await relay.collect(watching: sink)
                    let result = try relay.result()
                    seen.outcome = result.outcome
                    seen.collected = String(decoding: result.escapedText, as: UTF8.self)
                } else {
                    await relay.relay(into: sink)
                    seen.outcome = try relay.outcome()
                }
            } catch {
                seen.thrown = error
            }
            if lingerFor > .zero { await wait(lingerFor, io) }
            seen.writes = sink.writes
            seen.calls = transports.flatMap(\.calls)
            seen.askedAt = transports.map(\.askedAt)
            seen.failedAttempts = failures.attempts
            seen.runaways = failures.runaways
            seen.progress = relay.progress
            seen.stillOpen = pool.openRelays.count
            seen.outputIsEmpty = io.output.pointee.isEmpty
            seen.sinkHasSource = sink.source != nil
            return seen
        }
    }

    private final class FailureLog {
        var attempts: [FailedAttempt] = []
        var runaways: [String] = []
    }

    /// An upstream that answers at once.
    static func succeed(_ upstream: ScriptedUpstream) {
        upstream.after(.zero) { relay, _ in
            relay.head()
            relay.give(Completions.event("ok", finish: "stop") + Completions.usage(3, 1) + Completions.done)
            relay.completed()
        }
    }

    static func wait(_ duration: Duration, _ io: LoopIO) async {
        var timer: LoopTimer?
        await withUnsafeContinuation { continuation in
            let new = LoopTimer { continuation.resume() }
            timer = new
            io.schedule(new, after: duration)
        }
        _ = timer
    }

    static func usage(_ prompt: Int, _ completion: Int, reasoning: Int = 0, _ source: UsageSource) -> Usage {
        Usage(
            promptTokens: prompt, completionTokens: completion, reasoningTokens: reasoning, source: source, maxTokensApplied: 100)
    }
}

extension CompletionRelay {
    /// As ``relay(into:onEnd:)``, for who waits.
    func relay(into sink: any ByteSink) async {
        await withUnsafeContinuation { waiter in relay(into: sink) { waiter.resume() } }
    }

    /// As ``collect(watching:onEnd:)``, for who waits.
    func collect(watching sink: any ByteSink) async {
        await withUnsafeContinuation { waiter in collect(watching: sink) { waiter.resume() } }
    }
}
