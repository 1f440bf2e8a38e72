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

    // Each step answers, or says what has to be waited for. As a rule nothing has: what the limits decide and what the upstream sends is
    // told by calls, and a completion is no task.

    func complete(_ context: RequestContext, _ principal: Principal) -> Reply {
        let requestedAt = io.now
        if principal.key == nil { return read(context, principal, requestedAt) }
        return .awaited {
            do throws(ServiceError) { try await self.takeFromKey(principal, context) } catch { return context.refuse(error) }
            return self.read(context, principal, requestedAt)
        }
    }

    /// Takes the request in. What is refused between here and the reservation costs one request.
    private func read(_ context: RequestContext, _ principal: Principal, _ requestedAt: Int64) -> Reply {
        do throws(ServiceError) {
            let name = try completionName(context, principal)
            if let body = try context.arrivedJSON() { return prepare(body, name, context, principal, requestedAt) }
            return .awaited {
                do throws(ServiceError) {
                    return self.prepare(try await context.json(), name, context, principal, requestedAt)
                } catch {
                    return self.unusable(error, context, principal)
                }
            }
        } catch {
            return unusable(error, context, principal)
        }
    }

    private func prepare(
        _ body: [UInt8], _ name: CompletionName, _ context: RequestContext, _ principal: Principal, _ requestedAt: Int64
    ) -> Reply {
        do throws(ServiceError) {
            let request = try CompletionRequest.parse(body: body.span, models: models)
            guard let presetID = request.presetID else {
                return run(try ask(request, name, principal, context, requestedAt), context, principal)
            }
            return .awaited {
                do throws(ServiceError) {
                    let filled = try await self.fill(request, from: presetID, of: principal)
                    return self.run(try self.ask(filled, name, principal, context, requestedAt), context, principal)
                } catch {
                    return self.unusable(error, context, principal)
                }
            }
        } catch {
            return unusable(error, context, principal)
        }
    }

    /// Has the limits decide, and runs what they admit.
    private func run(_ ask: CompletionAsk, _ context: RequestContext, _ principal: Principal) -> Reply {
        .later { [self] answered in
            let asked = SystemClock.monotonicNanoseconds()
            upstreams.openRelays.expect(ask.relay)
            limiter.reserve(reservation(ask, principal, context)) { [self] decision in
                do throws(ServiceError) {
                    let admission = try decision.get()
                    meters.decided(since: asked)
                    try begin(ask, admission, principal, context)
                } catch {
                    return answered(notAdmitted(ask, error, principal, context))
                }
                relay(ask, context, answered)
            }
        }
    }

    /// Streams the upstream's answer, or collects it, and settles it when it has ended.
    private func relay(_ ask: CompletionAsk, _ context: RequestContext, _ answered: @escaping (Reply) -> Void) {
        let stream = open(ask, context)
        let meter = meters.start()
        if ask.isStream {
            ask.relay.relay(into: stream) { [self] in answered(streamed(ask, meter, context)) }
        } else {
            ask.relay.collect(watching: stream) { [self] in answered(collected(ask, meter, stream, context)) }
        }
    }

    /// Takes a request from the limit that an API key has of its own.
    private func takeFromKey(_ principal: Principal, _ context: RequestContext) async throws(ServiceError) {
        guard let (error, snapshot) = try await keyLimiter.take(principal) else { return }
        context.tell(snapshot)
        throw error
    }

    private func reservation(_ ask: CompletionAsk, _ principal: Principal, _ context: RequestContext) -> ReservationRequest {
        ReservationRequest(
            completionID: ask.relay.id, isNew: ask.hasNewID, attempt: context.id.uuid, userID: principal.userID,
            sessionID: principal.sessionID, promptTokens: ask.promptEstimate, maxTokens: ask.wantedTokens, model: ask.model,
            presetID: ask.presetID,
            upstreams: LimitedUpstreams(ask.relay.candidates.map { ($0.description.name, $0.description.hasLimits) }))
    }

    /// Readies an admitted completion for its upstream.
    /// - Throws: why it was refused.
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

    private func notAdmitted(
        _ ask: CompletionAsk, _ error: ServiceError, _ principal: Principal, _ context: RequestContext
    ) -> Reply {
        upstreams.openRelays.remove(ask.relay)
        if error.code == .completionIDConflict {
            context.request.responseFields[.answeredCompletionID] = ask.relay.id.description
        }
        let refusal = error.code.status == .badRequest ? unusable(error, context, principal) : context.refuse(error)
        if principal.key == nil { return refusal }
        return .awaited {
            await self.keyLimiter.giveBack(principal)
            return refusal
        }
    }

    /// The answer to a request that cannot be used as it is, which costs one request; also that to a failure of our own, which does not.
    private func unusable(_ error: ServiceError, _ context: RequestContext, _ principal: Principal) -> Reply {
        guard error.code.status.kind == .clientError else { return context.refuse(error) }
        return .awaited {
            if let snapshot = await self.limiter.charge(invalidRequestOf: principal.userID) { context.tell(snapshot) }
            return context.refuse(error)
        }
    }

    /// What the request leaves out is the preset's.
    private func fill(
        _ request: CompletionRequest, from id: PresetID, of principal: Principal
    ) async throws(ServiceError) -> CompletionRequest {
        try Access.require(.presets, of: principal.key)
        let preset = try await presets.preset(id, of: principal.userID, deadline: Self.presetDeadline)
        return request.filled(prompt: preset.prompt, parameters: try preset.parameters)
    }

    /// The relay alone keeps the prompt, and only until it is sent: a prompt may be long, and a stream lasts.
    private func ask(
        _ request: CompletionRequest, _ name: CompletionName, _ principal: Principal, _ context: RequestContext,
        _ requestedAt: Int64
    ) throws(ServiceError) -> CompletionAsk {
        let model = try models.model(for: request.parameters.model)
        let requestID = context.id
        let relay = try CompletionRelay(
            id: name.id, owner: principal.userID, sessionID: principal.lifeline,
            request: UpstreamRequest(request, model: model, user: userTags.tag(principal.userID)),
            pool: upstreams, requestedAt: requestedAt
        ) { Problem.json($0, requestID: requestID) }
        return CompletionAsk(request, name, model: model, relay: relay)
    }

    /// The client's own id; or that of its idempotency key, so that the same key cannot run two; or a new one.
    private func completionName(_ context: RequestContext, _ principal: Principal) throws(ServiceError) -> CompletionName {
        if let text = try context.single(.completionID) {
            guard let id = CompletionID(text) else { throw ServiceError(.invalidHeader, "Completion-Id has to be a UUID") }
            return CompletionName(id: id, isNew: false)
        }
        if let key = try context.idempotencyKey() {
            return CompletionName(id: key.completionID(of: principal.userID), isNew: false)
        }
        return CompletionName(id: ids.next(), isNew: true)
    }

    private func open(_ ask: CompletionAsk, _ context: RequestContext) -> ResponseStream {
        // No proxy may hold a stream's bytes back to compress or rewrite them.
        if ask.isStream { context.request.responseFields[.cacheControl] = "no-store, no-transform" }
        return context.request.openStream(status: .ok, fields: Self.fields(ask))
    }

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
