import Auth
import EventLoop
import Idempotency
import Logging
import Mail
import OIDC
import PlaygroundCore
import Postgres
import RateLimit
import Streaming

/// What a process does once, on its first loop: hold its lease, declare the limits of its environment, hear of revoked sessions and of
/// completions to stop, clear away dead sessions, old idempotency keys, old audit events and forgotten attempts to log in, and keep bills in months.
final class Housekeeping {
    /// A thousand sessions leave at a time: faster than people log in, and short for the database.
    private static let purgeInterval = Duration.seconds(60)
    private static let declarationRetry = Duration.seconds(1)
    private static let usageInterval = Duration.seconds(3600)
    private static let usageRetry = Duration.seconds(60)
    private let lease: ProcessLease
    private let feed: RevocationFeed
    /// One connection for everything that replicas tell each other.
    private let listener: PostgresListener
    private let accounts: AccountService
    private let audit: AuditLog
    private let idempotency: IdempotencyStore
    private let throttle: LoginThrottle
    private let logins: LoginStore
    private let limiter: RateLimiter
    private let usage: UsageKeeper
    private let recovery: AccountRecovery
    private let deletion: AccountDeletion
    /// Nil where this server sends no mail.
    private let postman: MailPostman?
    private let mailClient: SMTPClient?
    private let configuration: Configuration
    private let io: LoopIO
    private let logger: Logger
    private var isClosed = false

    /// Takes the lease, so that what this process reserves is known to be alive; without a database it is taken later.
    init(_ shared: SharedServices, _ services: LoopServices, on loop: isolated EventLoop) async {
        accounts = services.accounts
        audit = services.audit
        idempotency = services.idempotency
        throttle = services.throttle
        logins = services.logins
        limiter = services.limiter
        usage = UsageKeeper(database: services.database, keptMonths: shared.configuration.usageRetentionMonths)
        recovery = services.recovery
        deletion = services.deletion
        let meters = MailMeters()
        let mail = shared.configuration.mail.map { (SMTPClient($0.smtp), $0.stationery) }
        postman = mail.map { client, stationery in
            MailPostman(
                database: services.database, client: client, stationery: stationery, keys: services.keys, io: loop.io,
                logger: shared.logger, now: SystemClock.microseconds
            ) { meters.noted($0, $1) }
        }
        mailClient = mail?.0
        configuration = shared.configuration
        io = loop.io
        logger = shared.logger
        lease = ProcessLease(database: services.database, process: shared.process, io: loop.io, logger: shared.logger)
        feed = RevocationFeed(
            database: services.database, revoked: shared.revoked, io: loop.io, logger: shared.logger,
            now: SystemClock.microseconds)
        // What comes while it is deaf is learnt from the report of progress.
        let stops = PostgresListener.Subscription(channel: StopRequest.channel) { [completions = shared.completions] payload in
            if let request = StopRequest(payload: payload) { completions.stopLater(request) }
        }
        listener = PostgresListener(
            configuration: shared.configuration.database, subscriptions: [feed.subscription, stops], io: loop.io,
            logger: shared.logger)
        try? await lease.renew()
        let isDeclared = await declareLimits()
        let this = LoopBound(self, on: loop)
        if !isDeclared { loop.spawn { loop in await this.value(on: loop).keepDeclaring() } }
        loop.spawn { loop in await this.value(on: loop).lease.run() }
        loop.spawn { loop in await this.value(on: loop).feed.run() }
        loop.spawn { loop in await this.value(on: loop).purge() }
        loop.spawn { loop in await this.value(on: loop).keepUsage() }
        loop.spawn { loop in await this.value(on: loop).postman?.run() }
    }

    /// Takes the secrets of this configuration into use: hears over a connection of its database once the present one is lost.
    func useSecrets(of configuration: Configuration) {
        listener.use(configuration.database)
        if let smtp = configuration.mail?.smtp { mailClient?.use(smtp) }
    }

    func close() async {
        isClosed = true
        feed.stop()
        listener.close()
        await postman?.stop()
        await lease.release()
    }

    /// Plan `default` and the limits of upstreams are what the environment says; the database tells them to every replica.
    private func declareLimits() async -> Bool {
        let upstreams = configuration.upstreams.map(\.description).filter(\.hasLimits).map {
            UpstreamLimits(name: $0.name, requestsPerMinute: $0.requestsPerMinute, tokensPerMinute: $0.tokensPerMinute)
        }
        do throws(PostgresError) {
            try await limiter.declare(configuration.plan, upstreams: upstreams)
            return true
        } catch {
            logger.warning("limits not declared", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func keepDeclaring() async {
        while !isClosed {
            await io.pause(Self.declarationRetry)
            if await declareLimits() { return }
        }
    }

    private func purge() async {
        while !isClosed {
            await purge("sessions") { () throws(ServiceError) in _ = try await accounts.purgeSessions() }
            await purge("idempotency keys") { () throws(ServiceError) in try await idempotency.purge() }
            await purge("bills of deleted users") { () throws(ServiceError) in try await deletion.forget() }
            await purge("links") { () throws(ServiceError) in try await recovery.purgeLinks() }
            let kept = configuration.auditRetentionDays
            await purge("audit events") { () throws(ServiceError) in _ = try await audit.purge(keptDays: kept) }
            await purge("attempts to log in") { () throws(ServiceError) in try await throttle.purge() }
            await purge("log-ins through providers") { () throws(ServiceError) in try await logins.purge() }
            await io.pause(Self.purgeInterval)
        }
    }

    private func purge(_ what: String, _ work: () async throws(ServiceError) -> Void) async {
        do throws(ServiceError) {
            try await work()
        } catch {
            logger.warning("old \(what) not removed", metadata: ["error": "\(error)"])
        }
    }

    /// The months are made long before they come: a table that is in use is left alone and tried again.
    private func keepUsage() async {
        while !isClosed {
            var pause = Self.usageInterval
            do throws(PostgresError) {
                try await usage.run()
            } catch {
                pause = Self.usageRetry
                let level: Logger.Level = error.state == .lockNotAvailable ? .info : .warning
                logger.log(level: level, "months of usage not maintained", metadata: ["error": "\(error)"])
            }
            await io.pause(pause)
        }
    }
}
