import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import Idempotency
import PlaygroundCore
import Presets
import RateLimit
import Streaming
import StrictJSON

/// `POST /api/complete`: reads the request, reserves what it may cost, relays the upstream's answer, settles what it did cost.
final class CompletionHandlers {
    /// Together with the reservation's second: who wants a completion shall not wait long to hear that the database is away.
    private static let presetDeadline = Duration.milliseconds(500)

    private let limiter: RateLimiter
    private let keyLimiter: KeyLimiter
    private let presets: PresetStore
    private let upstreams: UpstreamPool
    private let models: ModelPolicy
    private let userTags: UserTags
    private let ids: IDSource
    private let io: LoopIO
    private let meters = CompletionMeters()

    init(
        limiter: RateLimiter, keyLimiter: KeyLimiter, presets: PresetStore, upstreams: UpstreamPool, models: ModelPolicy,
        userTags: UserTags, ids: IDSource, io: LoopIO
    ) {
        self.limiter = limiter
        self.keyLimiter = keyLimiter
        self.presets = presets
        self.upstreams = upstreams
        self.models = models
        self.userTags = userTags
        self.ids = ids
        self.io = io
    }

    func complete(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let requestedAt = io.now
        if let (error, snapshot) = try await keyLimiter.take(principal) {
            context.tell(snapshot)
            throw error
        }
        let (wanted, relay) = try await prepare(context, principal, requestedAt: requestedAt)
        let asked = SystemClock.monotonicNanoseconds()
        let admission: Admission
        do {
            admission = try await limiter.reserve(reservation(wanted, relay, principal, context))
        } catch {
            await keyLimiter.giveBack(principal)
            throw error
        }
        meters.decided(since: asked)
        switch admission {
        case .refused(let error, let snapshot):
            await keyLimiter.giveBack(principal)
            if error.code.status == .badRequest { throw await charged(error, context, principal) }
            if let snapshot { context.tell(snapshot) }
            if error.code == .completionIDConflict {
                context.request.responseFields[.answeredCompletionID] = wanted.id.description
            }
            throw error
        case .admitted(let grant):
            context.tell(grant.snapshot)
            relay.grant(maxTokens: grant.maxTokens, upstream: grant.upstream)
            upstreams.openRelays.insert(relay)
            let ask = wanted.granted(grant)
            return .deferred {
                ask.isStream ? await self.stream(relay, ask, context) : await self.collect(relay, ask, context)
            }
        }
    }

    private func reservation(
        _ ask: Ask, _ relay: CompletionRelay, _ principal: Principal, _ context: RequestContext
    ) -> ReservationRequest {
        ReservationRequest(
            completionID: ask.id, attempt: context.id.uuid, userID: principal.userID, sessionID: principal.sessionID,
            promptTokens: ask.promptEstimate, maxTokens: ask.wantedTokens, model: ask.model, presetID: ask.presetID,
            upstreams: LimitedUpstreams(relay.candidates.map { ($0.name, $0.hasLimits) }))
    }

    /// Everything between the token and the reservation; what is refused here costs one request. The relay alone keeps the
    /// prompt, and only until it is sent: a prompt may be long, and a stream lasts.
    private func prepare(
        _ context: RequestContext, _ principal: Principal, requestedAt: Int64
    ) async throws(ServiceError) -> (Ask, CompletionRelay) {
        do throws(ServiceError) {
            let id = try completionID(context, principal)
            let body = try await context.json()
            var request = try CompletionRequest.parse(body: body.span, models: models)
            if let presetID = request.presetID {
                try Access.require(.presets, of: principal.key)
                let preset = try await presets.preset(presetID, of: principal.userID, deadline: Self.presetDeadline)
                request = request.filled(prompt: preset.prompt, parameters: try preset.parameters)
            }
            let ask = try Ask(id: id, request, models: models)
            let requestID = context.id
            let relay = try CompletionRelay(
                id: id, owner: principal.userID, sessionID: principal.lifeline,
                request: UpstreamRequest(
                    model: ask.model, prompt: request.prompt ?? "", parameters: request.parameters, maxTokens: 0,
                    user: userTags.tag(principal.userID), promptEstimate: ask.promptEstimate),
                pool: upstreams, requestedAt: requestedAt
            ) { Problem.json($0, requestID: requestID) }
            return (ask, relay)
        } catch {
            throw error.code.status.kind == .clientError ? await charged(error, context, principal) : error
        }
    }

    /// A request that cannot be used as it is costs one request.
    private func charged(_ error: ServiceError, _ context: RequestContext, _ principal: Principal) async -> ServiceError {
        if let snapshot = await limiter.charge(invalidRequestOf: principal.userID) { context.tell(snapshot) }
        return error
    }

    /// The client's own id; or that of its idempotency key, so that the same key cannot run two; or a new one.
    private func completionID(_ context: RequestContext, _ principal: Principal) throws(ServiceError) -> CompletionID {
        guard let text = try context.single(.completionID) else {
            return try context.idempotencyKey()?.completionID(of: principal.userID) ?? ids.next()
        }
        guard let id = CompletionID(text) else { throw ServiceError(.invalidHeader, "Completion-Id has to be a UUID") }
        return id
    }

    // What comes before and after a stream is done in functions of their own: a task keeps these frames while it is open.

    @inline(never)
    private func stream(_ relay: CompletionRelay, _ ask: Ask, _ context: RequestContext) async -> Reply {
        let meter = meters.start()
        await relay.relay(into: open(ask, context))
        return streamed(relay, ask, meter, context)
    }

    @inline(never)
    private func collect(_ relay: CompletionRelay, _ ask: Ask, _ context: RequestContext) async -> Reply {
        let stream = open(ask, context)
        let meter = meters.start()
        await relay.collect(watching: stream)
        return collected(relay, ask, meter, stream, context)
    }

    @inline(never)
    private func open(_ ask: Ask, _ context: RequestContext) -> ResponseStream {
        // No proxy may hold a stream's bytes back to compress or rewrite them.
        if ask.isStream { context.request.responseFields[.cacheControl] = "no-store, no-transform" }
        return context.request.openStream(status: .ok, fields: Self.fields(ask))
    }

    @inline(never)
    private func streamed(
        _ relay: CompletionRelay, _ ask: Ask, _ meter: CompletionMeters.Measurement, _ context: RequestContext
    ) -> Reply {
        do throws(ServiceError) {
            let outcome = try relay.outcome()
            settle(relay, ask, outcome)
            meter.ended(outcome)
            if case .failed(let error) = outcome.ending { context.noteFailure(error) }
            return .streamed
        } catch {
            return failed(error, relay, ask, meter, context)
        }
    }

    @inline(never)
    private func collected(
        _ relay: CompletionRelay, _ ask: Ask, _ meter: CompletionMeters.Measurement, _ stream: ResponseStream,
        _ context: RequestContext
    ) -> Reply {
        do throws(ServiceError) {
            let result = try relay.result()
            settle(relay, ask, result.outcome)
            meter.ended(result.outcome)
            if stream.isClosed { return .streamed }
            return .response(.json(fields: Self.answerFields(ask), bytes: Self.body(ask, result)))
        } catch {
            return failed(error, relay, ask, meter, context)
        }
    }

    @inline(never)
    private func failed(
        _ error: ServiceError, _ relay: CompletionRelay, _ ask: Ask, _ meter: CompletionMeters.Measurement,
        _ context: RequestContext
    ) -> Reply {
        let outcome = CompletionOutcome(ending: .failed(error), usage: relay.progress, upstream: relay.askedUpstream)
        settle(relay, ask, outcome)
        meter.ended(outcome)
        context.request.responseFields[.answeredCompletionID] = relay.id.description
        return context.refuse(error)
    }

    private func settle(_ relay: CompletionRelay, _ ask: Ask, _ outcome: CompletionOutcome) {
        limiter.settle(
            Settlement(
                completionID: relay.id, attempt: ask.attempt, awaitedBy: ask.isShortOfSlots ? relay.owner : nil,
                usage: outcome.usage,
                outcome: SettlementOutcome(outcome.ending),
                finishReason: outcome.finishReason, model: outcome.model, upstream: outcome.upstream))
    }

    private static let streamFields: ResponseFields = [.contentType: "text/event-stream; charset=utf-8", .accelBuffering: "no"]

    /// What a stream is told to every proxy between here and its client.
    private static func fields(_ ask: Ask) -> ResponseFields {
        var fields = answerFields(ask)
        fields.append(streamFields)
        return fields
    }

    private static func answerFields(_ ask: Ask) -> ResponseFields {
        var fields = ResponseFields()
        fields.append(.answeredCompletionID, ask.id.uuid)
        fields.append(.maxTokensApplied, ask.maxTokens)
        return fields
    }

    private static func body(_ ask: Ask, _ result: CompletionResult) -> [UInt8] {
        var writer = JSONWriter(capacity: result.escapedText.count * 2 + 512)
        writer.object { writer in
            writer.member("id", ask.id)
            writer.member("model", result.outcome.model ?? ask.model)
            writer.member("text") { $0.string(escaped: result.escapedText.span) }
            writer.member("finish_reason", result.outcome.finishReason)
            writer.member("choices") { writer in
                writer.array { writer in
                    writer.object { writer in
                        writer.member("index", 0)
                        writer.member("text") { $0.string(escaped: result.escapedText.span) }
                        writer.member("finish_reason", result.outcome.finishReason)
                        if let logprobs = result.logprobs { writer.member("logprobs") { $0.raw(logprobs.span) } }
                    }
                }
            }
            writer.member("usage", result.outcome.usage)
        }
        return writer.bytes
    }
}

/// A completion as it will be asked for: the client's request under the server's models, without its texts.
private struct Ask {
    let id: CompletionID
    let model: String
    let presetID: PresetID?
    let isStream: Bool
    let promptEstimate: Int
    /// The `max_tokens` of the request; nil for none.
    let wantedTokens: Int?
    /// The one that applies, once the plan has decided.
    private(set) var maxTokens = 0
    /// What the limits have admitted.
    private(set) var attempt: UUIDBytes?
    /// Whether its slot may be waited for.
    private(set) var isShortOfSlots = false

    init(id: CompletionID, _ request: borrowing CompletionRequest, models: ModelPolicy) throws(ServiceError) {
        self.id = id
        model = try models.model(for: request.parameters.model)
        presetID = request.presetID
        isStream = request.stream
        promptEstimate = request.estimatedPromptTokens
        wantedTokens = request.parameters.maxTokens
    }

    /// The same, as the plan has admitted it.
    func granted(_ grant: Grant) -> Ask {
        var ask = self
        ask.maxTokens = grant.maxTokens
        ask.attempt = grant.attempt
        ask.isShortOfSlots = grant.isShortOfSlots
        return ask
    }
}

extension RequestContext {
    /// Puts the buckets' state into the answer, whatever it becomes.
    fileprivate func tell(_ snapshot: BucketSnapshot) { request.responseFields.append(snapshot) }
}

extension ResponseFields {
    fileprivate mutating func append(_ snapshot: BucketSnapshot) {
        if let requests = snapshot.requests {
            append(.limitRequests, requests.limit)
            append(.remainingRequests, requests.remaining)
            append(.resetRequests, requests.reset.clockText)
        }
        if let tokens = snapshot.tokens {
            append(.limitTokens, tokens.limit)
            append(.remainingTokens, tokens.remaining)
            append(.resetTokens, tokens.reset.clockText)
        }
    }
}

extension Duration {
    /// As OpenAI's rate fields write durations: `20ms`, `1s`, `1.5s`, `6m0s`.
    var clockText: String {
        let milliseconds = max(0, wholeMilliseconds)
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        let fraction = milliseconds % 1000
        var text = "\(seconds % 60)"
        if fraction > 0 {
            var digits = String(fraction + 1000).dropFirst()
            while digits.last == "0" { digits = digits.dropLast() }
            text += ".\(digits)"
        }
        text += "s"
        if seconds >= 60 { text = "\(seconds / 60 % 60)m" + text }
        if seconds >= 3600 { text = "\(seconds / 3600)h" + text }
        return text
    }
}

extension SettlementOutcome {
    /// The ending as the bill names it.
    fileprivate init(_ ending: CompletionOutcome.Ending) {
        switch ending {
        case .done: self = .done
        case .stopped: self = .stopped
        case .failed: self = .failed
        case .clientGone: self = .clientGone
        }
    }
}
