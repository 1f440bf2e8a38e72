import EventLoop
import Logging
import PlaygroundCore
import Postgres
import TestSupport

/// A client on a loop of its own, called from tests on any thread.
struct TestDatabase: Sendable {
    let loop: EventLoop
    let client: LoopBound<PostgresClient>

    func execute(
        _ statement: PostgresStatement, _ values: [PostgresValue] = [], tenant: UserID? = nil,
        lane: PostgresClient.Lane = .hot, deadline: Duration = .seconds(5)
    ) async throws -> PostgresResult {
        try await loop.run { loop in
            try await client.value(on: loop).execute(statement, values, tenant: tenant, lane: lane, deadline: deadline)
        }
    }

    func transaction(
        _ steps: [(PostgresStatement, [PostgresValue])], lane: PostgresClient.Lane = .hot, deadline: Duration = .seconds(5)
    ) async throws -> [PostgresResult] {
        try await loop.run { loop in
            try await client.value(on: loop).transaction(steps, lane: lane, deadline: deadline)
        }
    }

    /// The process that serves the hot lane.
    func backend() async throws -> Int64 { try await execute(.backend).int(0, 0) }

    var isAvailable: Bool {
        get async throws { try await loop.run { loop in client.value(on: loop).isAvailable } }
    }

    /// Waits until the hot lane is, or is no longer, connected.
    func wait(available: Bool, deadline: Duration = .seconds(15)) async throws -> Bool {
        try await loop.run { loop in
            let client = client.value(on: loop)
            return await loop.io.wait(until: { client.isAvailable == available }, deadline: deadline)
        }
    }
}

/// One hot and one slow connection unless `configure` says otherwise, so that tests see calls share them.
func withDatabase<Result: Sendable>(
    _ conninfo: String, rehearsal: [PostgresStatement] = [], _ configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (TestDatabase) async throws -> Result
) async throws -> Result {
    var configuration = try PostgresConfiguration(conninfo)
    configuration.lanes.hotConnections = 1
    configuration.lanes.slowConnections = 1
    configure(&configuration)
    let loop = EventLoop(name: "database test")
    loop.start()
    defer { loop.stop() }
    let client = try await loop.run { [configuration] loop in
        LoopBound(
            PostgresClient(configuration: configuration, io: loop.io, logger: .silent, rehearsal: rehearsal), on: loop)
    }
    let result = try await body(TestDatabase(loop: loop, client: client))
    try await loop.run { loop in await client.value(on: loop).close() }
    return result
}

extension Logger {
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

extension PostgresStatement {
    static let backend = PostgresStatement("backend", "select pg_backend_pid()", .read)
    static let echo = PostgresStatement("echo", "select $1::bigint", .read)
    static let divide = PostgresStatement("divide", "select 1 / $1::bigint", .read)
    static let sleep = PostgresStatement("sleep", "select pg_sleep($1::float8)", .read)
    static let insert = PostgresStatement("insert", "insert into item (id) values ($1)")
    static let count = PostgresStatement("count", "select count(*) from item", .read)
}

/// How a call ended.
struct CallOutcome: Sendable {
    let duration: Duration
    let error: PostgresError?
}

extension TestDatabase {
    /// Runs a call and measures it on the loop, where other tests cannot delay it.
    func timed(
        _ statement: PostgresStatement, _ values: [PostgresValue] = [], lane: PostgresClient.Lane = .hot,
        deadline: Duration = .seconds(5)
    ) async throws -> CallOutcome {
        try await loop.run { loop in
            await client.value(on: loop).timed([(statement, values)], lane: lane, deadline: deadline)
        }
    }

    func timed(_ steps: [(PostgresStatement, [PostgresValue])]) async throws -> CallOutcome {
        try await loop.run { loop in
            await client.value(on: loop).timed(steps, lane: .hot, deadline: .seconds(5))
        }
    }
}

extension PostgresClient {
    func timed(_ steps: [Step], lane: Lane, deadline: Duration) async -> CallOutcome {
        let start = ContinuousClock.now
        do {
            _ = try await transaction(steps, lane: lane, deadline: deadline)
            return CallOutcome(duration: start.duration(to: .now), error: nil)
        } catch {
            return CallOutcome(duration: start.duration(to: .now), error: error)
        }
    }
}
