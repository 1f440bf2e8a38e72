import Auth
import CSystem
import FoundationEssentials
import HTTPServer
import Logging
import PlaygroundCore
import Postgres

/// Everything an operator can set, read from the environment once and checked before anything starts.
struct Configuration: Sendable {
    var server = ServerConfiguration()
    var database: PostgresConfiguration
    /// Where completions come from, in the order of the configuration; never empty.
    var upstreams: [Upstream]
    var keys: KeyRing
    var crossOrigin: CrossOrigin
    var proxies: TrustedProxies
    var isRegistrationOpen: Bool
    var signIn: SignInSettings
    var acceptsLoadTokens: Bool
    var plan: Plan
    var models: ModelPolicy
    /// Nil where this server sends none.
    var mail: MailSettings?
    /// How many months of bills are kept before the current one; nil for all.
    var usageRetentionMonths: Int?
    /// How long the audit trail tells of an event.
    var auditRetentionDays: Int
    /// Between two comments on a silent stream.
    var heartbeatInterval: Duration
    /// From the request to the latest moment at which a stream's head is sent.
    var commitAfter: Duration
    /// From SIGTERM to closing the listening socket.
    var drainDelay: Duration
    /// From SIGTERM to ending the streams that still run.
    var drainTimeout: Duration
    /// Whether sends of many clients are made together where the kernel can do that.
    var gathersSends: Bool
    var logLevel: Logger.Level
    /// What it was read from, besides variables.
    var files: SecretFiles

    /// - Throws: ``ConfigurationError`` with every complaint, each naming its variable.
    init(_ environment: Environment = Environment()) throws {
        var environment = environment
        var database = Self.database(&environment)
        database?.role = ApplicationRole.name
        let keys = Self.keys(&environment)
        upstreams = Self.upstreams(&environment)
        signIn = Self.signIn(&environment)

        server.host = environment.text("HTTP_HOST") ?? "127.0.0.1"
        server.port = UInt16(environment.integer("HTTP_PORT", 8080, in: 0...65_535))
        let descriptors = Int(csystem_raise_descriptor_limit())
        server.maxConnections = environment.integer(
            "MAX_CONNECTIONS", max(16, (descriptors - 128) / 2), in: 1...1_000_000)
        let perAddress = environment.integer("MAX_CONNECTIONS_PER_IP", 0, in: 0...1_000_000)
        server.maxConnectionsPerAddress = perAddress == 0 ? nil : perAddress

        crossOrigin = CrossOrigin(
            policy: environment.parsed(
                "CORS_ORIGINS", .listed([]), "`*`, or origins like https://app.example.com separated by commas"
            ) { CrossOrigin.Policy($0) })
        proxies = TrustedProxies(
            networks: environment.parsed("TRUSTED_PROXIES", [], "addresses or CIDR blocks separated by commas") { text in
                let entries = text.split(separator: ",").map(\.trimmed)
                let networks = entries.compactMap { TrustedProxies.Network($0) }
                return networks.count == entries.count ? networks : nil
            })
        isRegistrationOpen = environment.choice("REGISTRATION", true, ["open": true, "closed": false])
        acceptsLoadTokens = environment.choice("ALLOW_LOAD_TOKENS", false, ["1": true, "0": false])
        plan = Self.plan(&environment)
        models = Self.models(&environment, of: upstreams)
        mail = Self.mail(&environment)
        usageRetentionMonths = environment.optionalInteger("USAGE_RETENTION_MONTHS", in: 1...1_200)
        auditRetentionDays = environment.integer("AUDIT_RETENTION_DAYS", 400, in: 1...36_500)
        heartbeatInterval = environment.seconds("HEARTBEAT_INTERVAL", .seconds(5), in: 0.05...300)
        commitAfter = environment.seconds("COMMIT_AFTER", .seconds(8), in: 0.05...300)
        drainDelay = environment.seconds("DRAIN_DELAY", .seconds(5), in: 0...300)
        drainTimeout = environment.seconds("DRAIN_TIMEOUT", .seconds(25), in: 0...3_600)
        gathersSends = environment.choice("IO_URING", true, ["on": true, "off": false])
        logLevel = environment.choice(
            "LOG_LEVEL", .info,
            [
                "trace": .trace, "debug": .debug, "info": .info, "notice": .notice, "warning": .warning, "error": .error,
                "critical": .critical,
            ])
        guard environment.complaints.isEmpty, let database, let keys, !upstreams.isEmpty else {
            throw ConfigurationError(complaints: environment.complaints)
        }
        self.database = database
        self.keys = keys
        files = environment.files
    }

    /// The database as `migrate` and the operator's commands log in to it: as the owner of its tables, who may be another than the
    /// servers' login.
    static func ownersDatabase(_ environment: Environment = Environment()) throws -> PostgresConfiguration {
        var environment = environment
        let own = environment.secret("MIGRATE_DATABASE_URL")
        var database: PostgresConfiguration?
        if let own {
            database = Self.database("MIGRATE_DATABASE_URL", own, &environment)
        } else if environment.complaints.isEmpty {
            database = Self.database(&environment)
        }
        guard let database else { throw ConfigurationError(complaints: environment.complaints) }
        return database
    }

    /// The database as servers log in to it; nil where nobody has said how, which `migrate` may do without.
    static func serversDatabase(_ environment: Environment = Environment()) throws -> PostgresConfiguration? {
        var environment = environment
        guard let text = environment.secret("DATABASE_URL") else {
            if environment.complaints.isEmpty { return nil }
            throw ConfigurationError(complaints: environment.complaints)
        }
        guard var database = database("DATABASE_URL", text, &environment) else {
            throw ConfigurationError(complaints: environment.complaints)
        }
        database.role = ApplicationRole.name
        return database
    }

    /// What `load-tokens` needs besides the database.
    static func keysOnly(_ environment: Environment = Environment()) throws -> KeyRing {
        var environment = environment
        guard let keys = keys(&environment) else { throw ConfigurationError(complaints: environment.complaints) }
        return keys
    }

    private static func database(_ environment: inout Environment) -> PostgresConfiguration? {
        let text = environment.requiredSecret("DATABASE_URL", "a libpq URI such as postgres://user@host/database")
        return text.isEmpty ? nil : database("DATABASE_URL", text, &environment)
    }

    private static func database(_ name: String, _ text: String, _ environment: inout Environment) -> PostgresConfiguration? {
        do {
            return try PostgresConfiguration(text)
        } catch {
            let reason = if case .unavailable(let reason) = error { reason } else { "\(error)" }
            environment.complain("\(name): \(reason)")
            return nil
        }
    }

    private static func keys(_ environment: inout Environment) -> KeyRing? {
        let text = environment.requiredSecret(
            "SESSION_KEYS", "`kid:base64key`, several separated by commas; make one with: APIServer keygen")
        if text.isEmpty { return nil }
        do {
            return try KeyRing(parsing: text)
        } catch {
            environment.complain("\(error)")
            return nil
        }
    }

    private static func plan(_ environment: inout Environment) -> Plan {
        let fallback = Plan()
        var plan = Plan(
            requestsPerMinute: environment.integer(
                "RATE_LIMIT_REQUESTS_PER_MINUTE", fallback.requestsPerMinute, in: 1...1_000_000_000),
            tokensPerMinute: environment.integer(
                "RATE_LIMIT_TOKENS_PER_MINUTE", fallback.tokensPerMinute, in: 1...2_000_000_000),
            concurrentStreams: environment.integer("MAX_CONCURRENT_STREAMS", fallback.concurrentStreams, in: 1...1_000_000),
            maxTokensCap: environment.integer("MAX_TOKENS_CAP", fallback.maxTokensCap, in: 1...2_147_483_647),
            maxTokensDefault: environment.integer("MAX_TOKENS_DEFAULT", fallback.maxTokensDefault, in: 1...2_147_483_647))
        plan.maxTokensDefault = min(plan.maxTokensDefault, plan.maxTokensCap)
        return plan
    }
}
