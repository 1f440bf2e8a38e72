import Auth
import EventLoop
import HTTPClient
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
    let completions = RunningCompletions()
}

/// What one loop owns: its database lanes, its upstream connections, its limiter, and the responder in front of them.
final class LoopServices {
    private static let progressInterval = Duration.seconds(1)

    let responder: APIResponder
    let database: PostgresClient
    let accounts: AccountService
    let limiter: RateLimiter
    let upstream: CompletionUpstream
    private let client: HTTPClient
    private let io: LoopIO
    private var isClosed = false

    /// The composition root of a loop.
    /// - Throws: where the upstream's key or certificates cannot be used.
    init(_ shared: SharedServices, on loop: isolated EventLoop) throws {
        let configuration = shared.configuration
        let io = loop.io
        let ids = IDSource()
        let database = PostgresClient(configuration: configuration.database, io: io, logger: shared.logger)
        let configured = configuration.upstreams[0]
        let client = try HTTPClient(origin: configured.origin, io: io)
        let transport = try HTTPUpstreamTransport(
            client: client, kind: configured.description.kind, key: configured.key, headers: configured.headers,
            timeouts: configured.timeouts)
        let upstream = CompletionUpstream(
            description: configured.description, transport: transport,
            timing: RelayTiming(heartbeat: configuration.heartbeatInterval, commitAfter: configuration.commitAfter), io: io)
        let limiter = RateLimiter(
            database: database, process: shared.process, plan: configuration.plan, loop: loop, logger: shared.logger)
        let accounts = AccountService(
            database: database, keys: configuration.keys, hasher: shared.hasher, revoked: shared.revoked,
            isRegistrationOpen: configuration.isRegistrationOpen, now: SystemClock.microseconds)
        let authentication = Authentication(
            authenticator: Authenticator(
                keys: configuration.keys, revoked: shared.revoked, acceptsLoadTokens: configuration.acceptsLoadTokens),
            crossOrigin: configuration.crossOrigin)
        let presets = PresetStore(database: database)
        let routes = Routes(
            sessions: SessionHandlers(accounts: accounts, authentication: authentication),
            presets: PresetHandlers(store: presets, models: configuration.models, ids: ids),
            completions: CompletionHandlers(
                limiter: limiter, presets: presets, upstream: upstream, configuration: configuration,
                userTags: UserTags(key: configuration.keys.signing), ids: ids, io: io),
            control: CompletionControlHandlers(
                ledger: CompletionLedger(database: database), running: shared.completions, process: shared.process, io: io),
            info: InfoHandlers(configuration: configuration),
            operation: OperationHandlers(
                readiness: Readiness(
                    database: database, revoked: shared.revoked, draining: shared.draining,
                    migrator: Migrator(configuration: configuration.database, migrations: SchemaMigrations.all)),
                metrics: shared.metrics))
        responder = APIResponder(
            router: routes.router, authentication: authentication, crossOrigin: configuration.crossOrigin,
            proxies: configuration.proxies, observer: RequestObserver(logger: shared.logger), ids: ids)
        self.database = database
        self.accounts = accounts
        self.limiter = limiter
        self.upstream = upstream
        self.client = client
        self.io = io
        let this = LoopBound(self, on: loop)
        loop.spawn { loop in await this.value(on: loop).reportProgress() }
    }

    /// The completions that run on this loop.
    var relays: RelayRegistry { upstream.openRelays }

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

    /// Ends what the loop does, settlements first. The database stays open: the process's lease is given up through it.
    func close() async {
        isClosed = true
        await limiter.drain(.seconds(5))
        client.close()
    }
}
