import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport

@testable import RateLimit

/// Several processes that throttle log-ins over one database, whose rows can be made older.
final class ThrottleScene: Sendable {
    let database: LimitsDatabase
    let replicas: [Replica]
    /// How many attempts were let through to the hasher.
    private let lookedAt = Mutex(0)
    var hashed: Int { lookedAt.withLock { $0 } }

    /// One process of several: a loop of its own with its own connections.
    final class Replica: Sendable {
        let loop: EventLoop
        let throttle: LoopBound<LoginThrottle>
        private let client: LoopBound<PostgresClient>

        init(_ given: PostgresConfiguration, _ limits: LoginLimits) async throws {
            let loop = EventLoop(name: "replica")
            loop.start()
            self.loop = loop
            var configuration = given
            configuration.lanes.slowConnections = 1
            (throttle, client) = try await loop.run { [configuration] loop in
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
                let throttle = LoginThrottle(database: client, logger: logger, limits: limits)
                return (LoopBound(throttle, on: loop), LoopBound(client, on: loop))
            }
        }

        /// A setting of its connection as later statements find it.
        func setting(_ name: String) async throws -> String {
            try await loop.run { [client] loop in
                let statement = PostgresStatement("test_setting", "select current_setting($1::text)", .read)
                return try await client.value(on: loop).execute(statement, [.text(name)]).string(0, 0)
            }
        }

        /// Sets it for as long as the connection lasts.
        func set(_ name: String, _ value: String) async throws {
            try await loop.run { [client] loop in
                let statement = PostgresStatement("test_set", "select set_config($1::text, $2::text, false)")
                _ = try await client.value(on: loop).execute(statement, [.text(name), .text(value)])
            }
        }

        deinit {
            loop.spawn { [client] loop in
                await client.value(on: loop).close()
                loop.stop()
            }
        }
    }

    init(replicas count: Int = 1, limits: LoginLimits = LoginLimits()) async throws {
        database = try LimitsDatabase()
        var replicas: [Replica] = []
        for _ in 0..<count { replicas.append(try await Replica(database.configuration(), limits)) }
        self.replicas = replicas
    }

    /// What an attempt came to.
    enum Outcome: Sendable, Equatable {
        case success, failure
        case refused(wait: Duration, cause: String)
        case other(ErrorCode)

        var wait: Duration? { if case .refused(let wait, _) = self { wait } else { nil } }
        var cause: String? { if case .refused(_, let cause) = self { cause } else { nil } }
        var isRefused: Bool { wait != nil }

        init(_ error: any Error) {
            guard let error = error as? ServiceError else {
                self = .other(.internalError)
                return
            }
            switch (error.code, error.retryAfter) {
            case (.invalidCredentials, _): self = .failure
            case (.tooManyAttempts, let wait?): self = .refused(wait: wait, cause: error.cause ?? "")
            default: self = .other(error.code)
            }
        }
    }

    /// What comes of a password that is looked at.
    enum Password: Sendable { case right, wrong, neverLookedAt }

    func login(
        _ account: String = "ann", from address: String, _ password: Password = .wrong, on replica: Int = 0,
        hashing: Duration = .zero
    ) async throws -> Outcome {
        let process = replicas[replica]
        do {
            return try await process.loop.run { loop in
                let throttle = process.throttle.value(on: loop)
                let io = loop.io
                return try await throttle.login(account: account, from: ClientOrigin(address)) {
                    () async throws(ServiceError) in
                    self.lookedAt.withLock { $0 += 1 }
                    if hashing > .zero { await io.pause(hashing) }
                    switch password {
                    case .right: return .success
                    case .wrong: throw ServiceError(.invalidCredentials)
                    case .neverLookedAt: throw ServiceError(.overloaded)
                    }
                }
            }
        } catch {
            return Outcome(error)
        }
    }

    func register(from address: String, failingWith code: ErrorCode? = nil, on replica: Int = 0) async throws -> Outcome {
        let process = replicas[replica]
        do {
            try await process.loop.run { loop in
                let throttle = process.throttle.value(on: loop)
                try await throttle.registration(from: ClientOrigin(address)) { () async throws(ServiceError) in
                    if let code { throw ServiceError(code) }
                }
            }
            return .success
        } catch {
            return Outcome(error)
        }
    }

    func purge(_ limit: Int) async throws -> Int {
        let process = replicas[0]
        return try await process.loop.run { loop in try await process.throttle.value(on: loop).purge(limit: limit) }
    }

    /// All at the same time, spread over the replicas.
    func all(_ count: Int, _ attempt: @escaping @Sendable (Int) async throws -> Outcome) async throws -> [Outcome] {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            for number in 0..<count { group.addTask { try await attempt(number) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Lets time pass: everything that was noted is so much older.
    func age(_ time: Duration) throws {
        let ago = "interval '1 microsecond' * \(time.wholeMicroseconds)"
        try database.run(
            """
            update login_networks set tried_at = tried_at - \(ago), known_at = known_at - \(ago), expires_at = expires_at - \(ago);
            update attempt_windows set instants = array(select i - \(ago) from unnest(instants) i order by i),
                expires_at = expires_at - \(ago)
            """)
    }

    /// Everything that is stored, down to the versions of the rows.
    func rows() throws -> [[String?]] {
        try database.run(
            """
            select 'n', ctid::text, xmin::text, xmax::text, t::text from login_networks t
            union all select 'w', ctid::text, xmin::text, xmax::text, t::text from attempt_windows t order by 1, 2
            """)
    }
}
