import Auth
import EventLoop
import HTTPClient
import Idempotency
import Logging
import Metrics
import OIDC
import PlaygroundCore
import Postgres
import Presets
import RateLimit
import Streaming

/// What all loops of one process share: values, and the few objects that are made for it.
struct SharedServices: Sendable {
    let configuration: Configuration
    let logger: Logger
    /// What the logger writes to.
    let log: JSONLogHandler
    let metrics: PrometheusMetrics
    let process: ProcessID
    let hasher: PasswordHasher
    let revoked: RevokedSessions
    let draining: DrainingMark
    /// Of the configuration's upstreams, in its order.
    let circuits: [UpstreamCircuit]
    /// Of the configuration, in its order.
    let providers: [Provider]
    let completions = RunningCompletions()
    let keys = APIKeyCache()
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
    let recovery: AccountRecovery
    let deletion: AccountDeletion
    let audit: AuditLog
    private let verifier: APIKeyVerifier
    let idempotency: IdempotencyStore
    let throttle: LoginThrottle
    let logins: LoginStore
    let limiter: RateLimiter
    let upstreams: UpstreamPool
    let first: FirstLoop
    let keys: SessionKeys
    /// Those that it was made with, and the way to each.
    private let configured: [Configuration.Upstream]
    private let transports: [HTTPUpstreamTransport]
    private let clients: [HTTPClient]
    private let providers: [Provider]
    private let providerTransport: ProviderTransport
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
            configuration: configuration.database, io: io, logger: shared.logger, slowLane: first?.slowLane,
            rehearsal: first == nil ? LimitLane.rehearsal : [])
        let first =
            first
            ?? FirstLoop(
                limits: LimitLane(database: database, process: shared.process, loop: loop, logger: shared.logger),
                slowLane: SharedLane(of: database, on: loop))
        let clients = try configuration.upstreams.map { try HTTPClient(origin: $0.origin, io: io) }
        let transports = try Self.transports(clients, configuration)
        let upstreams = Self.pool(transports, shared, io)
        let keys = SessionKeys(configuration.keys)
        let limiter = RateLimiter(database: database, lane: first.limits, loop: loop, logger: shared.logger)
        let accounts = AccountService(
            database: database, keys: keys, hasher: shared.hasher, revoked: shared.revoked,
            isRegistrationOpen: configuration.isRegistrationOpen, now: SystemClock.microseconds)
        recovery = AccountRecovery(
            database: database, keys: keys, hasher: shared.hasher, revoked: shared.revoked,
            sendsMail: configuration.mail != nil, now: SystemClock.microseconds)
        let passwords = PasswordChange(
            database: database, hasher: shared.hasher, revoked: shared.revoked, now: SystemClock.microseconds)
        deletion = AccountDeletion(database: database, revoked: shared.revoked, now: SystemClock.microseconds)
        let throttle = LoginThrottle(database: database, logger: shared.logger)
        let verifier = APIKeyVerifier(
            database: database, cache: shared.keys, revoked: shared.revoked, io: io, logger: shared.logger)
        let authentication = Authentication(
            authenticator: Authenticator(
                keys: keys, revoked: shared.revoked, acceptsLoadTokens: configuration.acceptsLoadTokens),
            keys: verifier,
            crossOrigin: configuration.crossOrigin)
        let audit = AuditLog(
            database: database, io: io, logger: shared.logger,
            account: { [keys] in keys.ring.signing.name(of: "audit-account:" + $0.description) },
            lost: { [lost = Counter(label: "audit_events_lost_total")] in lost.increment(by: $0) })
        let presets = PresetStore(database: database)
        let standings = StandingReader(database: database)
        idempotency = IdempotencyStore(database: database)
        let providerTransport = ProviderTransport(io: io)
        let logins = LoginStore(database: database)
        let signIn = Self.signIn(shared, store: logins, transport: providerTransport, ids: ids)
        let routes = Routes(
            sessions: SessionHandlers(
                accounts: accounts, recovery: recovery, throttle: throttle, hasher: shared.hasher, authentication: authentication,
                audit: audit),
            keys: KeyHandlers(
                book: APIKeyBook(database: database, audit: audit, revoked: shared.revoked, now: SystemClock.microseconds)),
            recovery: RecoveryHandlers(recovery: recovery, throttle: throttle, audit: audit),
            account: AccountHandlers(
                passwords: passwords, recovery: recovery, exports: AccountExport(database: database), deletion: deletion,
                throttle: throttle, audit: audit, io: io),
            listedSessions: ListedSessionHandlers(
                book: SessionBook(database: database, revoked: shared.revoked, now: SystemClock.microseconds), audit: audit),
            passwords: PasswordHandlers(passwords: passwords, throttle: throttle, audit: audit),
            identities: IdentityHandlers(
                settings: configuration.signIn, signIn: signIn, store: logins, accounts: accounts,
                passwords: passwords, authentication: authentication, audit: audit, ids: ids),
            presets: PresetHandlers(store: presets, models: configuration.models, ids: ids),
            completions: CompletionHandlers(
                limiter: limiter, keyLimiter: KeyLimiter(database: database), presets: presets, upstreams: upstreams,
                revoked: shared.revoked, models: configuration.models, userTags: UserTags(keys: keys), ids: ids, io: io),
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
            proxies: configuration.proxies, observer: RequestObserver(log: shared.log), ids: ids)
        self.database = database
        self.accounts = accounts
        self.audit = audit
        self.verifier = verifier
        self.throttle = throttle
        self.logins = logins
        self.providerTransport = providerTransport
        providers = shared.providers
        self.limiter = limiter
        self.upstreams = upstreams
        self.clients = clients
        self.first = first
        self.transports = transports
        configured = configuration.upstreams
        self.keys = keys
        self.io = io
        let this = LoopBound(self, on: loop)
        loop.spawn { loop in await this.value(on: loop).reportProgress() }
        loop.spawn { loop in await this.value(on: loop).audit.run() }
        loop.spawn { loop in await this.value(on: loop).verifier.run() }
    }

    private static func signIn(
        _ shared: SharedServices, store: LoginStore, transport: ProviderTransport, ids: IDSource
    ) -> SignIn {
        let settings = shared.configuration.signIn
        return SignIn(
            providers: shared.providers, redirects: settings.redirects, publicURL: settings.publicURL,
            isRegistrationOpen: shared.configuration.isRegistrationOpen, store: store, transport: transport,
            surroundings: SignIn.Surroundings(
                now: SystemClock.microseconds, newUser: { ids.next() }, newIdentity: { ids.next() },
                accountEmail: { (try? EmailAddress(parsing: $0))?.description }))
    }

    private static func transports(_ clients: [HTTPClient], _ configuration: Configuration) throws -> [HTTPUpstreamTransport] {
        try zip(clients, configuration.upstreams).map { client, upstream in
            try HTTPUpstreamTransport(
                client: client, kind: upstream.description.kind, key: upstream.key, headers: upstream.headers,
                timeouts: upstream.timeouts)
        }
    }

    private static func pool(_ transports: [HTTPUpstreamTransport], _ shared: SharedServices, _ io: LoopIO) -> UpstreamPool {
        let configuration = shared.configuration
        let meters = UpstreamMeters(logger: shared.logger)
        let upstreams = configuration.upstreams.indices.map { index in
            Upstream(
                description: configuration.upstreams[index].description, transport: transports[index],
                circuit: shared.circuits[index])
        }
        let timing = RelayTiming(heartbeat: configuration.heartbeatInterval, commitAfter: configuration.commitAfter)
        return UpstreamPool(
            upstreams, timing: timing, io: io, onFailedAttempt: { meters.failed($0) },
            onRunaway: { meters.ranAway($0, from: $1) })
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

    /// Takes the secrets of this configuration into use. What it says besides holds from the next start on; a key is sent to the
    /// address that it was given with, and to no other.
    func useSecrets(of configuration: Configuration) throws {
        keys.replace(with: configuration.keys)
        database.use(configuration.database)
        for (transport, old) in zip(transports, configured) {
            let new = configuration.upstreams.first { $0.description.name == old.description.name && $0.origin == old.origin }
            if let new { try transport.use(key: new.key, headers: new.headers) }
        }
        for provider in providers {
            let new = configuration.signIn.providers.first { $0.id == provider.configuration.id }
            if let new { provider.use(new) }
        }
    }

    /// Ends what the loop does, settlements first: the first loop's services are closed last. The database stays open: the process's
    /// lease is given up through it.
    func close() async {
        isClosed = true
        await limiter.drain(.seconds(5))
        await verifier.close()
        await audit.drain(.seconds(2))
        for client in clients { client.close() }
        providerTransport.close()
    }
}
