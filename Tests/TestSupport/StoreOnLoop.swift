import EventLoop
import Logging
package import PlaygroundCore
package import Postgres

/// A store on a loop of its own, with a client that acts as servers do, on a fresh database.
package final class StoreOnLoop<Store>: Sendable {
    package let database: SchemaDatabase
    private let loop: EventLoop
    private let store: LoopBound<Store>
    private let client: LoopBound<PostgresClient>

    /// - Parameters:
    ///   - database: that of another store, as replicas share one; nil for a fresh one.
    ///   - make: makes the store, on the loop.
    package init(_ database: SchemaDatabase? = nil, _ make: @escaping @Sendable (PostgresClient) -> Store) async throws {
        self.database = try database ?? SchemaDatabase()
        let database = self.database
        let loop = EventLoop(name: "store")
        loop.start()
        self.loop = loop
        let configuration = try database.configuration()
        (store, client) = try await loop.run { loop in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let client = PostgresClient(configuration: configuration, io: loop.io, logger: logger)
            return (LoopBound(make(client), on: loop), LoopBound(client, on: loop))
        }
    }

    deinit {
        loop.spawn { [client] loop in
            await client.value(on: loop).close()
            loop.stop()
        }
    }

    /// Does something with the store, on its loop.
    package func on<Result: Sendable>(_ body: @escaping @Sendable (Store) async throws -> Result) async throws -> Result {
        let store = store
        return try await loop.run { loop in try await body(store.value(on: loop)) }
    }

    /// As ``SchemaDatabase`` has them.
    package func makeUser() throws -> UserID { try database.makeUser() }
    @discardableResult
    package func run(_ sql: String) throws -> [[String?]] { try database.run(sql) }
}
