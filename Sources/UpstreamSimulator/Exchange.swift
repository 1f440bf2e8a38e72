import EventLoop
import HTTPCore
import HTTPTypes
import StrictJSON

/// One completion request and its answer: judged, paced, misbehaving as told, and recorded to its end.
final class Exchange: Paced {
    /// What comes next.
    enum Step {
        case head
        /// The event with this index: token `index / choices` of choice `index % choices`.
        case event(Int)
        /// The rest of the event with this index.
        case half(Int, [UInt8])
        case end
        case stalled
        case over
    }

    unowned let connection: Connection
    let service: Service
    let request: ReceivedRequest
    private let dialect: Dialect
    let entry: JournalEntry
    let bytesBefore: Int
    let requestID: String
    private let completionID: String
    let started = SystemClock.monotonicNanoseconds()

    var call: CompletionCall?
    var directives = Directives()
    var refusal: APIError?
    var body: CompletionBody?
    var step = Step.head
    /// Monotonic nanoseconds at which the next step is due.
    var due: Int64 = 0
    private var isCounted = false
    private var isBlocked = false
    private var isWaiting = false
    private var isYielding = false

    init(request: ReceivedRequest, dialect: Dialect, connection: Connection) {
        self.request = request
        self.dialect = dialect
        self.connection = connection
        service = connection.service
        bytesBefore = connection.bytesSent
        requestID = "req_\(service.randomHex(words: 2))"
        completionID = "\(dialect.idPrefix)\(service.randomHex(words: 2))"
        entry = JournalEntry(
            RequestRecord(
                number: service.journal.nextNumber, id: completionID, completionID: completionID, connection: connection.number,
                prompt: "", authorization: "missing", model: "", isStreamed: false, started: SystemClock.unixNanoseconds()))
    }

    /// A field whose directives count instead of the prompt's, so that one upstream of several misbehaves alone.
    private static let field = HTTPField.Name("X-Directives")

    /// Judges the request and starts to answer.
    func begin() {
        judge()
        service.journal.remember(entry, request)
        service.journal.count { totals in
            totals.requests += 1
            totals.open += 1
            totals.maxOpen = max(totals.maxOpen, totals.open)
        }
        isCounted = true
        due = started + Int64(directives.headDelay) * 1_000_000
        if directives.sendBuffer > 0 { connection.limitSendBuffer(directives.sendBuffer) }
        if directives.trickle > 0 { connection.trickle(bytes: directives.trickle, interval: directives.trickleInterval) }
        advance()
    }

    private func judge() {
        do throws(APIError) {
            let authorization = request.value(of: .authorization)
            let isRight = authorization == service.settings.authorization
            entry.update { $0.authorization = isRight ? "ok" : authorization == nil ? "missing" : "wrong" }
            guard isRight else { throw authorization == nil ? .missingKey : .wrongKey }
            let call = try CompletionCall(parsing: request.body, models: service.settings.models, dialect: dialect)
            let prompt = call.prompts[0]
            entry.update { record in
                record.prompt = String(prompt.prefix(80))
                record.model = call.model
                record.isStreamed = call.isStreamed
            }
            directives = try Directives(prompt: Self.field.flatMap { request.value(of: $0) } ?? prompt)
            if let id = directives.id {
                entry.update { $0.id = id }
                if let failures = directives.failures, service.journal.attempt(id) > failures { directives.recover() }
            }
            self.call = call
            if directives.status >= 300 { throw .simulated(directives) }
            body = CompletionBody(
                call: call, directives: directives, id: completionID, created: SystemClock.unixNanoseconds() / 1_000_000_000)
        } catch {
            refusal = error
        }
    }

    // MARK: Steps

    override func wake() { advance() }

    /// The socket has taken what was kept back.
    func sent() {
        if isWaiting { advance() }
    }

    func blockedChanged(_ isBlocked: Bool) {
        if isBlocked == self.isBlocked { return }
        self.isBlocked = isBlocked
        service.journal.count { $0.blocked += isBlocked ? 1 : -1 }
        entry.update { record in
            record.isBlocked = isBlocked
            if isBlocked { record.timesBlocked += 1 }
            record.bytes = connection.bytesSent - bytesBefore
        }
    }

    /// Takes the steps that are due, a few at a time so that other connections get their turn.
    private func advance() {
        isWaiting = false
        var budget = 32
        while true {
            switch step {
            case .over, .stalled: return
            default: break
            }
            // A token is made only when the one before has left: what is counted as sent was sent, but for the last.
            if connection.isBlocked {
                isWaiting = true
                return
            }
            if due > SystemClock.monotonicNanoseconds() { return service.pacer.arm(self, at: due) }
            if budget == 0 { return yieldTurn() }
            budget -= 1
            take()
        }
    }

    private func yieldTurn() {
        if isYielding { return }
        isYielding = true
        service.io.atEndOfTurn { [self] in
            isYielding = false
            advance()
        }
    }

    private func take() {
        switch step {
        case .head: takeHead()
        case .event(let index): takeEvents(index)
        case .half(let index, let rest):
            service.eventScratch = rest
            appendChunk()
            finishEvents(index..<index + 1)
        case .end: takeEnd()
        case .stalled, .over: break
        }
    }

    // MARK: Ends

    func refuse(_ error: APIError) {
        let body = error.body
        var extra: [(String, String)] = []
        if let seconds = directives.retryAfter { extra.append(("retry-after", seconds)) }
        var bytes: [UInt8] = []
        let head = AnswerHead(
            requestID: requestID, chargedTokens: error.hasRateFields ? (call.map { $0.chargedTokens + $0.choices } ?? 1) : nil)
        head.append(
            to: &bytes, status: error.status,
            contentType: error.hasRateFields ? "application/json" : "application/json; charset=utf-8", length: body.count,
            closes: !request.head.keepAlive, extra: extra)
        send(bytes + body, status: error.status)
        end(.refused, keepsAlive: request.head.keepAlive)
    }

    func drop(byReset: Bool) {
        end(.dropped)
        connection.cut(byReset: byReset)
    }

    /// The client has gone, or closed its sending side, while an answer was due.
    func clientLeft(byReset: Bool) {
        let record = entry.current
        entry.update { $0.isReset = byReset }
        end(
            record.headSent == 0
                ? .closedBeforeHeaders : record.tokens == 0 ? .closedBeforeFirstToken : .closedMidstream)
    }

    func end(_ ending: Ending, keepsAlive: Bool) {
        // What is still in the backlog is not sent yet: the client may leave before.
        if connection.isBlocked {
            step = .stalled
            connection.whenSent { [self] in end(ending, keepsAlive: keepsAlive) }
            return
        }
        end(ending)
        connection.finish(keepsAlive: keepsAlive)
    }

    func end(_ ending: Ending) {
        guard isCounted else { return }
        isCounted = false
        step = .over
        service.pacer.disarm(self)
        blockedChanged(false)
        let now = SystemClock.unixNanoseconds()
        let bytes = connection.bytesSent - bytesBefore
        entry.update { record in
            record.ending = ending
            record.ended = now
            record.bytes = bytes
        }
        service.journal.count { totals in
            totals.open -= 1
            totals.bytes += bytes
            switch ending {
            case .completed: totals.completed += 1
            case .refused: totals.refused += 1
            case .dropped: totals.dropped += 1
            default: totals.aborted += 1
            }
        }
    }
}
