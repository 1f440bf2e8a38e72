import Auth
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
    private let revoked: RevokedSessions
    private let models: ModelPolicy
    private let userTags: UserTags
    private let ids: IDSource
    private let io: LoopIO
    private let meters = CompletionMeters()

    init(
        limiter: RateLimiter, keyLimiter: KeyLimiter, presets: PresetStore, upstreams: UpstreamPool,
        revoked: RevokedSessions, models: ModelPolicy, userTags: UserTags, ids: IDSource, io: LoopIO
    ) {
        self.limiter = limiter
        self.keyLimiter = keyLimiter
        self.presets = presets
        self.upstreams = upstreams
        self.revoked = revoked
        self.models = models
        self.userTags = userTags
        self.ids = ids
        self.io = io
    }

    // A function that waits has all it uses in its task's memory, a kilobyte at a time: whatever is large is made in functions that do
    // not wait, and are not to be merged into one that does.

    func complete(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let requestedAt = io.now
        if principal.key != nil { try await takeFromKey(principal, context) }
        let ask = try await prepare(context, principal, requestedAt: requestedAt)
        let asked = SystemClock.monotonicNanoseconds()
        upstreams.openRelays.expect(ask.relay)
        do {
            let admission = try await limiter.reserve(reservation(ask, principal, context))
            meters.decided(since: asked)
            try begin(ask, admission, principal, context)
        } catch {
            throw await notAdmitted(ask, error, principal, context)
        }
        return .deferred {
            ask.isStream ? await self.stream(ask, context) : await self.collect(ask, context)
        }
    }

    /// Takes a request from the limit that an API key has of its own.
    @inline(never)
    private func takeFromKey(_ principal: Principal, _ context: RequestContext) async throws(ServiceError) {
        guard let (error, snapshot) = try await keyLimiter.take(principal) else { return }
        context.tell(snapshot)
        throw error
    }

    @inline(never)
    private func reservation(_ ask: CompletionAsk, _ principal: Principal, _ context: RequestContext) -> ReservationRequest {
        ReservationRequest(
            completionID: ask.relay.id, attempt: context.id.uuid, userID: principal.userID, sessionID: principal.sessionID,
            promptTokens: ask.promptEstimate, maxTokens: ask.wantedTokens, model: ask.model, presetID: ask.presetID,
            upstreams: LimitedUpstreams(ask.relay.candidates.map { ($0.description.name, $0.description.hasLimits) }))
    }

    /// Readies an admitted completion for its upstream.
    /// - Throws: why it was refused.
    @inline(never)
    private func begin(
        _ ask: CompletionAsk, _ admission: Admission, _ principal: Principal, _ context: RequestContext
    ) throws(ServiceError) {
        switch admission {
        case .refused(let error, let snapshot):
            if let snapshot, error.code.status != .badRequest { context.tell(snapshot) }
            throw error
        case .admitted(let grant):
            context.tell(grant.snapshot)
            ask.admitted(grant)
            upstreams.openRelays.insert(ask.relay)
            // Told to the loops before this one knew of the completion, it ended nothing.
            if let lifeline = principal.lifeline, revoked.contains(lifeline) { ask.relay.abort(ServiceError(.sessionRevoked)) }
        }
    }

    @inline(never)
    private func notAdmitted(
        _ ask: CompletionAsk, _ error: ServiceError, _ principal: Principal, _ context: RequestContext
    ) async -> ServiceError {
        upstreams.openRelays.remove(ask.relay)
        if principal.key != nil { await keyLimiter.giveBack(principal) }
        if error.code.status == .badRequest { return await charged(error, context, principal) }
        if error.code == .completionIDConflict {
            context.request.responseFields[.answeredCompletionID] = ask.relay.id.description
        }
        return error
    }

    /// Everything between the token and the reservation; what is refused here costs one request.
    @inline(never)
    private func prepare(
        _ context: RequestContext, _ principal: Principal, requestedAt: Int64
    ) async throws(ServiceError) -> CompletionAsk {
        do throws(ServiceError) {
            let id = try completionID(context, principal)
            let body = try await context.json()
            let draft = try CompletionDraft(body, models)
            if let presetID = draft.request.presetID { try await fill(draft, from: presetID, of: principal) }
            return try ask(draft.request, id, principal, context, requestedAt: requestedAt)
        } catch {
            throw error.code.status.kind == .clientError ? await charged(error, context, principal) : error
        }
    }

    /// What the request leaves out is the preset's.
    @inline(never)
    private func fill(_ draft: CompletionDraft, from id: PresetID, of principal: Principal) async throws(ServiceError) {
        try Access.require(.presets, of: principal.key)
        let preset = try await presets.preset(id, of: principal.userID, deadline: Self.presetDeadline)
        draft.request = draft.request.filled(prompt: preset.prompt, parameters: try preset.parameters)
    }

    /// The relay alone keeps the prompt, and only until it is sent: a prompt may be long, and a stream lasts.
    @inline(never)
    private func ask(
        _ request: CompletionRequest, _ id: CompletionID, _ principal: Principal, _ context: RequestContext, requestedAt: Int64
    ) throws(ServiceError) -> CompletionAsk {
        let model = try models.model(for: request.parameters.model)
        let requestID = context.id
        let relay = try CompletionRelay(
            id: id, owner: principal.userID, sessionID: principal.lifeline,
            request: UpstreamRequest(request, model: model, user: userTags.tag(principal.userID)),
            pool: upstreams, requestedAt: requestedAt
        ) { Problem.json($0, requestID: requestID) }
        return CompletionAsk(request, model: model, relay: relay)
    }

    /// A request that cannot be used as it is costs one request.
    @inline(never)
    private func charged(_ error: ServiceError, _ context: RequestContext, _ principal: Principal) async -> ServiceError {
        if let snapshot = await limiter.charge(invalidRequestOf: principal.userID) { context.tell(snapshot) }
        return error
    }

    /// The client's own id; or that of its idempotency key, so that the same key cannot run two; or a new one.
    @inline(never)
    private func completionID(_ context: RequestContext, _ principal: Principal) throws(ServiceError) -> CompletionID {
        guard let text = try context.single(.completionID) else {
            return try context.idempotencyKey()?.completionID(of: principal.userID) ?? ids.next()
        }
        guard let id = CompletionID(text) else { throw ServiceError(.invalidHeader, "Completion-Id has to be a UUID") }
        return id
    }

    // What comes before and after a stream is done in functions of their own: a task keeps these frames while it is open.

    @inline(never)
    private func stream(_ ask: CompletionAsk, _ context: RequestContext) async -> Reply {
        let meter = meters.start()
        await ask.relay.relay(into: open(ask, context))
        return streamed(ask, meter, context)
    }

    @inline(never)
    private func collect(_ ask: CompletionAsk, _ context: RequestContext) async -> Reply {
        let stream = open(ask, context)
        let meter = meters.start()
        await ask.relay.collect(watching: stream)
        return collected(ask, meter, stream, context)
    }

    @inline(never)
    private func open(_ ask: CompletionAsk, _ context: RequestContext) -> ResponseStream {
        // No proxy may hold a stream's bytes back to compress or rewrite them.
        if ask.isStream { context.request.responseFields[.cacheControl] = "no-store, no-transform" }
        return context.request.openStream(status: .ok, fields: Self.fields(ask))
    }

    @inline(never)
    private func streamed(_ ask: CompletionAsk, _ meter: CompletionMeters.Measurement, _ context: RequestContext) -> Reply {
        do throws(ServiceError) {
            let outcome = try ask.relay.outcome()
            settle(ask, outcome)
            meter.ended(outcome)
            if case .failed(let error) = outcome.ending { context.noteFailure(error) }
            return .streamed
        } catch {
            return failed(error, ask, meter, context)
        }
    }

    @inline(never)
    private func collected(
        _ ask: CompletionAsk, _ meter: CompletionMeters.Measurement, _ stream: ResponseStream, _ context: RequestContext
    ) -> Reply {
        do throws(ServiceError) {
            let result = try ask.relay.result()
            settle(ask, result.outcome)
            meter.ended(result.outcome)
            if stream.isClosed { return .streamed }
            return .response(.json(fields: Self.answerFields(ask), bytes: Self.body(ask, result)))
        } catch {
            return failed(error, ask, meter, context)
        }
    }

    @inline(never)
    private func failed(
        _ error: ServiceError, _ ask: CompletionAsk, _ meter: CompletionMeters.Measurement, _ context: RequestContext
    ) -> Reply {
        let relay = ask.relay
        let outcome = CompletionOutcome(ending: .failed(error), usage: relay.progress, upstream: relay.askedUpstream)
        settle(ask, outcome)
        meter.ended(outcome)
        context.request.responseFields[.answeredCompletionID] = relay.id.description
        return context.refuse(error)
    }

    private func settle(_ ask: CompletionAsk, _ outcome: CompletionOutcome) {
        limiter.settle(
            Settlement(
                completionID: ask.relay.id, attempt: ask.attempt, awaitedBy: ask.isShortOfSlots ? ask.relay.owner : nil,
                usage: outcome.usage,
                outcome: SettlementOutcome(outcome.ending),
                finishReason: outcome.finishReason, model: outcome.model, upstream: outcome.upstream))
    }

    private static let streamFields: ResponseFields = [.contentType: "text/event-stream; charset=utf-8", .accelBuffering: "no"]

    /// What a stream is told to every proxy between here and its client.
    private static func fields(_ ask: CompletionAsk) -> ResponseFields {
        var fields = answerFields(ask)
        fields.append(streamFields)
        return fields
    }

    private static func answerFields(_ ask: CompletionAsk) -> ResponseFields {
        var fields = ResponseFields()
        fields.append(.answeredCompletionID, ask.relay.id.uuid)
        fields.append(.maxTokensApplied, ask.maxTokens)
        return fields
    }

    private static func body(_ ask: CompletionAsk, _ result: CompletionResult) -> [UInt8] {
        var writer = JSONWriter(capacity: result.escapedText.count * 2 + 512)
        writer.object { writer in
            writer.member("id", ask.relay.id)
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
