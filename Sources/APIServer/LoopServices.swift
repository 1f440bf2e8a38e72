import Auth
import EventLoop
import HTTPClient
import Idempotency
import Logging
import PlaygroundCore
import Postgres
import Presets
import RateLimit
import Streaming

/// What all loops of one process share: values, and the few objects that are made for it.
struct SharedServices: Sendable {
    let configuration: Configuration
    let logger: Logger
    let metrics: PrometheusMetrics
    let process: ProcessID
    let hasher: PasswordHasher
    let revoked: RevokedSessions
    let draining: DrainingMark
    /// Of the configuration's upstreams, in its order.
    let circuits: [UpstreamCircuit]
    let completions = RunningCompletions()
}

/// What the first loop of a process does for the others: so few connections do, and the requests of all loops come to the database
/// together.
struct FirstLoop: Sendable {
    let limits: LimitLane
    let slowLane: SharedLane
}

/// What one loop owns: its database lanes, its upstream connections, its limiter, and the responder in front of them.
final class LoopServices {
    private static let progressInterval = Duration.seconds(1)

    let responder: APIResponder
    let database: PostgresClient
    let accounts: AccountService
    let idempotency: IdempotencyStore
    let throttle: LoginThrottle
    let limiter: RateLimiter
    let upstreams: UpstreamPool
    let first: FirstLoop
    private let clients: [HTTPClient]
    private let io: LoopIO
    private var isClosed = false

    /// The composition root of a loop.
    /// - Parameter first: what the first loop does for the others; nil for itself.
    /// - Throws: where an upstream's key or certificates cannot be used.
    init(_ shared: SharedServices, first: FirstLoop?, on loop: isolated EventLoop) throws {
        let configuration = shared.configuration
        let io = loop.io
        let ids = IDSource()
        let database = PostgresClient(
            configuration: configuration.database, io: io, logger: shared.logger, slowLane: first?.slowLane)
        let here = first ?? FirstLoop(
            limits: LimitLane(database: database, process: shared.process, loop: loop, logger: shared.logger),
            slowLane: SharedLane(of: database, on: loop))
        let clients = try configuration.upstreams.map { try HTTPClient(origin: $0.origin, io: io) }
        let upstreams = try Self.pool(clients, shared, io)
        let limiter = RateLimiter(database: database, lane: here.limits, loop: loop, logger: shared.logger)
        let accounts = AccountService(
            database: database, keys: configuration.keys, hasher: shared.hasher, revoked: shared.revoked,
            isRegistrationOpen: configuration.isRegistrationOpen, now: SystemClock.microseconds)
        let throttle = LoginThrottle(database: database, logger: shared.logger)
        let authentication = Authentication(
            authenticator: Authenticator(
                keys: configuration.keys, revoked: shared.revoked, acceptsLoadTokens: configuration.acceptsLoadTokens),
            crossOrigin: configuration.crossOrigin)
        let presets = PresetStore(database: database)
        let standings = StandingReader(database: database)
        idempotency = IdempotencyStore(database: database)
        let routes = Routes(
            sessions: SessionHandlers(accounts: accounts, throttle: throttle, authentication: authentication),
            presets: PresetHandlers(store: presets, models: configuration.models, ids: ids),
            completions: CompletionHandlers(
                limiter: limiter, presets: presets, upstreams: upstreams, configuration: configuration,
                userTags: UserTags(key: configuration.keys.signing), ids: ids, io: io),
            control: CompletionControlHandlers(
                ledger: CompletionLedger(database: database), running: shared.completions, process: shared.process, io: io),
            limits: LimitHandlers(standings: standings), usage: UsageHandlers(reader: UsageReader(database: database)),
            info: InfoHandlers(configuration: configuration, standings: standings),
            operation: OperationHandlers(
                readiness: Readiness(
                    database: database, revoked: shared.revoked, draining: shared.draining,
                    migrator: Migrator(configuration: configuration.database, migrations: SchemaMigrations.all)),
                metrics: shared.metrics),
            idempotency: IdempotentRequests(store: idempotency, ids: ids, logger: shared.logger))
        responder = APIResponder(
            router: routes.router, authentication: authentication, crossOrigin: configuration.crossOrigin,
            proxies: configuration.proxies, observer: RequestObserver(logger: shared.logger), ids: ids)
        self.database = database
        self.accounts = accounts
        self.throttle = throttle
        self.limiter = limiter
        self.upstreams = upstreams
        self.clients = clients
        self.first = here
        self.io = io
        let this = LoopBound(self, on: loop)
        loop.spawn { loop in await this.value(on: loop).reportProgress() }
    }

    private static func pool(
        _ clients: [HTTPClient], _ shared: SharedServices, _ io: LoopIO
    ) throws -> UpstreamPool {
        let configuration = shared.configuration
        let meters = UpstreamMeters(logger: shared.logger)
        let upstreams = try configuration.upstreams.indices.map { index in
            let (configured, client) = (configuration.upstreams[index], clients[index])
            let transport = try HTTPUpstreamTransport(
                client: client, kind: configured.description.kind, key: configured.key, headers: configured.headers,
                timeouts: configured.timeouts)
            return Upstream(description: configured.description, transport: transport, circuit: shared.circuits[index])
        }
        let timing = RelayTiming(heartbeat: configuration.heartbeatInterval, commitAfter: configuration.commitAfter)
        return UpstreamPool(upstreams, timing: timing, io: io) { meters.failed($0) }
    }

    /// The completions that run on this loop.
    var relays: RelayRegistry { upstreams.openRelays }

    /// Ends a completion that runs on this loop.
    /// - Returns: whether there is one of this owner.
    func stop(_ request: StopRequest) -> Bool { relays.stop(request.completionID, owner: request.userID) }

    /// Tells the limiter what the running completions have used, so that another replica can bill them should this one die, and
    /// ends those whose owners' wish to stop has not come by another way.
    private func reportProgress() async {
        while true {
            await io.pause(Self.progressInterval)
            if isClosed { return }
            for request in await limiter.report(relays.progress) { _ = stop(request) }
        }
    }

    /// Ends what the loop does, settlements first: the first loop's services are closed last. The database stays open: the process's
    /// lease is given up through it.
    func close() async {
        isClosed = true
        await limiter.drain(.seconds(5))
        for client in clients { client.close() }
    }
}
