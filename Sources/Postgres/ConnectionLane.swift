import EventLoop

/// Some connections for calls of one kind, and the calls that wait for room on them.
final class ConnectionLane: PostgresConnectionOwner {
    /// How many connections, how many calls at a time on each, how many calls may wait.
    struct Limits {
        let connections: Int
        let depth: Int
        let waiting: Int
        /// How long a connection stays open without calls; nil: always, and then it is opened before there are any.
        let idle: Duration?
    }

    /// Milliseconds after which a connection is used although its rehearsal has not ended.
    private static let rehearsalTime: Int64 = 1_000

    let limits: Limits
    private let io: LoopIO
    private unowned let client: PostgresClient
    /// Ready, retiring and draining ones.
    private var connections: [PostgresConnection] = []
    private var opening: [PostgresConnection] = []
    private var waiting = FIFO<PostgresCall>()
    /// Since when no connection is ready although there should be one.
    private var downSince: Int64?
    private var idleTimer: LoopTimer?

    init(_ limits: Limits, io: LoopIO, client: PostgresClient) {
        self.limits = limits
        self.io = io
        self.client = client
        guard limits.idle != nil else {
            downSince = io.now
            return
        }
        idleTimer = LoopTimer { [unowned self] in closeIfIdle() }
    }

    deinit {
        if let idleTimer { io.cancel(idleTimer) }
    }

    var isReady: Bool { downSince == nil }
    var isOpening: Bool { !opening.isEmpty }
    /// How many connections have to be opened.
    var missing: Int {
        if limits.idle != nil, waiting.isEmpty { return 0 }
        return limits.connections - connections.count { !$0.isRetiring && !$0.isDraining } - opening.count
    }
    /// Whether a call is in flight or waits.
    var isBusy: Bool { connections.contains { $0.callsInFlight > 0 } || !waiting.isEmpty }

    // MARK: Calls

    /// Sends the call, or lets it wait until there is room or a connection; its deadline ends that.
    func submit(_ call: PostgresCall) {
        if let connection = leastBusy { return connection.send(call) }
        if connections.isEmpty { downSince = downSince ?? io.now }
        if let downSince, client.isOutage(since: downSince) { return call.refuse(client.outage) }
        while let first = waiting.first, first.isAnswered { waiting.popFirst() }
        if waiting.count >= limits.waiting { return call.refuse(.overloaded) }
        waiting.append(call)
        if limits.idle != nil { client.openMissing() }
    }

    private var leastBusy: PostgresConnection? {
        var best: PostgresConnection?
        for connection in connections where !connection.isDraining && connection.callsInFlight < limits.depth {
            if connection.callsInFlight < best?.callsInFlight ?? Int.max { best = connection }
        }
        return best
    }

    private func sendWaiting() {
        while !waiting.isEmpty, let connection = leastBusy, let call = waiting.popFirst() {
            if !call.isAnswered { connection.send(call) }
        }
    }

    // MARK: Connections

    func open(_ configuration: PostgresConfiguration, host: Int) {
        let connection = PostgresConnection(configuration, host: host, io: io, logger: client.logger, owner: self)
        opening.append(connection)
        connection.open()
    }

    /// The connection is to be replaced, and then closed when it is idle.
    func retire(_ connection: PostgresConnection) {
        guard !connection.isRetiring, connections.contains(where: { $0 === connection }) else { return }
        connection.isRetiring = true
        client.openMissing()
    }

    /// Answers what waits, and closes every connection.
    func close(_ reason: PostgresError) {
        for call in waiting.removeAll() { call.refuse(reason) }
        for connection in connections + opening { connection.close() }
    }

    func connectionReady(_ connection: PostgresConnection) {
        let steps = client.rehearsal(of: self)
        if steps.isEmpty { return admit(connection) }
        connection.send(
            PostgresCall(steps, deadline: io.now + Self.rehearsalTime, io: io) { [weak self, weak connection] _ in
                // It may have been lost meanwhile.
                guard let self, let connection, opening.contains(where: { $0 === connection }) else { return }
                admit(connection)
            })
    }

    private func admit(_ connection: PostgresConnection) {
        opening.removeAll { $0 === connection }
        connections.append(connection)
        downSince = nil
        if let replaced = connections.first(where: { $0.isRetiring && !$0.isDraining }) {
            replaced.isDraining = true
            closeIfDrained(replaced)
        }
        sendWaiting()
        client.opened(connection, in: self)
    }

    func connectionProgressed(_ connection: PostgresConnection) {
        sendWaiting()
        closeIfDrained(connection)
        if let idleTimer, let idle = limits.idle, !isBusy { io.schedule(idleTimer, after: idle) }
    }

    private func closeIfIdle() {
        if isBusy { return }
        for connection in connections {
            connection.isDraining = true
            closeIfDrained(connection)
        }
    }

    func connectionOutdated(_ connection: PostgresConnection) { retire(connection) }

    func notificationReceived(channel: String, payload: String) {}

    func connectionClosed(_ connection: PostgresConnection, _ reason: PostgresError) {
        if let index = opening.firstIndex(where: { $0 === connection }) {
            opening.remove(at: index)
            client.failedToOpen(host: connection.host, reason)
            return
        }
        connections.removeAll { $0 === connection }
        if !connections.contains(where: { !$0.isDraining }), limits.idle == nil || !waiting.isEmpty {
            downSince = downSince ?? io.now
        }
        client.lost(connection, reason)
    }

    private func closeIfDrained(_ connection: PostgresConnection) {
        if connection.isDraining, connection.callsInFlight == 0 { connection.close() }
    }
}
