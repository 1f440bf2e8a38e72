import Auth
import EventLoop
import FoundationEssentials
import HTTPClient
import HTTPServer
import Logging
import Metrics
import OIDC
import PlaygroundCore
import Postgres
import RateLimit
import Streaming

/// The server as a whole: starts its loops, serves until it is told to stop, and ends without cutting anybody off.
struct Application {
    private let configuration: Configuration
    private let logger: Logger
    private let log: JSONLogHandler
    private let sink: LogSink

    init(configuration: Configuration, sink: LogSink) {
        self.configuration = configuration
        self.sink = sink
        let log = JSONLogHandler(label: "playground-api", level: configuration.logLevel, sink: sink)
        self.log = log
        logger = Logger(label: "playground-api") { _ in log }
    }

    /// Serves until SIGTERM or SIGINT has come and everything in hand is done.
    func run() async throws {
        let signals = Signals()
        let flusher = LogFlusher(sink)
        defer { flusher.stop() }
        try HTTPClient.initialize()
        let metrics = PrometheusMetrics()
        MetricsSystem.bootstrap(metrics)
        MetricDescriptions.describe(in: metrics)
        warnAboutPlainUpstream()
        warnAboutUnreachableProviders()

        let shared = SharedServices(
            configuration: configuration, logger: logger, log: log, metrics: metrics, process: IDSource().next() as ProcessID,
            hasher: PasswordHasher(), revoked: RevokedSessions(), draining: DrainingMark(),
            circuits: configuration.upstreams.map { UpstreamMeters.circuit(of: $0.description.name, logger: logger) },
            providers: configuration.signIn.providers.map { Provider($0) })
        let loops = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map {
            EventLoop(name: "loop-\($0)", gathersSends: configuration.gathersSends)
        }
        for loop in loops { loop.start() }
        var services: [LoopBound<LoopServices>] = []
        var first: FirstLoop?
        for loop in loops {
            let made = try await loop.run { [first] loop in
                let services = try LoopServices(shared, first: first, on: loop)
                return (LoopBound(services, on: loop), services.first)
            }
            services.append(made.0)
            first = made.1
        }
        let parts = Array(zip(loops, services))
        let housekeeping = try await startHousekeeping(shared, on: parts)
        let responders = Dictionary(uniqueKeysWithValues: parts.map { (ObjectIdentifier($0.0), $0.1) })
        let server = try await Server(configuration: configuration.server, loops: loops) { loop in
            guard let services = responders[ObjectIdentifier(loop)] else { preconditionFailure("a loop without services") }
            return services.value(on: loop).responder
        }
        announce(server.port)
        let secrets = watchSecrets(parts, housekeeping)
        signals.onHangUp { secrets.readAll() }

        await signals.first()
        secrets.stop()
        await drain(server, shared, parts, housekeeping, signals)
        logger.info("stopped")
        sink.flush()
    }

    private func announce(_ port: UInt16) {
        let host = configuration.server.host.contains(":") ? "[\(configuration.server.host)]" : configuration.server.host
        let gathersSends = configuration.gathersSends && EventLoop.canGatherSends
        StandardOutput.line("listening on http://\(host):\(port)")
        logger.notice(
            "listening",
            metadata: [
                "host": .string(host), "port": .stringConvertible(Int(port)), "io_uring": .stringConvertible(gathersSends),
            ])
    }

    private func warnAboutPlainUpstream() {
        for upstream in configuration.upstreams where upstream.origin.scheme == .http && !upstream.origin.isLoopback {
            logger.warning(
                "the upstream is asked over plain http: its key and the prompts cross the network in the clear",
                metadata: ["upstream": .string(upstream.description.name)])
        }
    }

    /// Not refused: ID tokens that apps bring need no redirect.
    private func warnAboutUnreachableProviders() {
        if configuration.signIn.providers.isEmpty || !configuration.signIn.redirects.isEmpty { return }
        logger.warning("identity providers but no OIDC_REDIRECTS: no log-in through a browser can end anywhere")
    }

    /// What one loop does for the whole process: the lease, and hearing what other replicas tell.
    private func startHousekeeping(
        _ shared: SharedServices, on parts: [(EventLoop, LoopBound<LoopServices>)]
    ) async throws -> LoopBound<Housekeeping>? {
        guard let (first, services) = parts.first else { return nil }
        shared.completions.include(parts)
        shared.revoked.observe { session in
            for (loop, services) in parts {
                loop.spawn { loop in
                    services.value(on: loop).relays.abort(session: session, ServiceError(.sessionRevoked))
                }
            }
        }
        return try await first.run { loop in
            LoopBound(await Housekeeping(shared, services.value(on: loop), on: loop), on: loop)
        }
    }

    /// Hands the loops every new text of a secret file.
    private func watchSecrets(
        _ parts: [(EventLoop, LoopBound<LoopServices>)], _ housekeeping: LoopBound<Housekeeping>?
    ) -> SecretWatch {
        let files = ReloadedConfiguration(configuration, variables: ProcessInfo.processInfo.environment)
        let watch = SecretWatch(files, logger: logger) { [logger] configuration, read in
            for (loop, services) in parts {
                loop.spawn { loop in
                    do {
                        try services.value(on: loop).useSecrets(of: configuration)
                    } catch {
                        logger.error("a new secret cannot be used", metadata: ["cause": "\(error)"])
                    }
                }
            }
            guard let (first, services) = parts.first else { return }
            first.spawn { loop in
                let keys = configuration.keys.ids.joined(separator: ", ")
                let detail = "session keys now: \(keys); read anew: \(read.joined(separator: ", "))"
                services.value(on: loop).audit.record(AuditEvent(.secretRotated, from: .operation, detail: detail))
                housekeeping?.value(on: loop).useSecrets(of: configuration)
            }
        }
        watch.start()
        return watch
    }

    /// Unready at once, still serving for a while because balancers learn late, then no new connections, then no streams.
    private func drain(
        _ server: Server, _ shared: SharedServices, _ parts: [(EventLoop, LoopBound<LoopServices>)],
        _ housekeeping: LoopBound<Housekeeping>?, _ signals: Signals
    ) async {
        shared.draining.set()
        logger.notice("draining", metadata: ["connections": .stringConvertible(server.openConnections)])
        let begun = SystemClock.monotonicNanoseconds()
        let elapsed: () -> Duration = { .nanoseconds(SystemClock.monotonicNanoseconds() - begun) }
        if !signals.mustHurry { await signals.next(within: configuration.drainDelay) }
        try? await server.beginDraining()
        while server.openConnections > 0, elapsed() < configuration.drainTimeout {
            await signals.pause(.milliseconds(20))
        }
        for (loop, services) in parts {
            loop.spawn { loop in
                services.value(on: loop).relays.abortAll(
                    ServiceError(.shuttingDown, "The server is shutting down", retryAfter: .seconds(1)))
            }
        }
        let last = elapsed() + .seconds(2)
        while server.openConnections > 0, elapsed() < last { await signals.pause(.milliseconds(20)) }
        for (loop, services) in parts.reversed() {
            try? await loop.run { loop in await services.value(on: loop).close() }
        }
        if let housekeeping, let first = parts.first?.0 {
            try? await first.run { loop in await housekeeping.value(on: loop).close() }
        }
        for (loop, services) in parts {
            try? await loop.run { loop in await services.value(on: loop).database.close() }
        }
    }
}
