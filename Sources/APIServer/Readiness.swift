import Auth
import PlaygroundCore
import Postgres
import Synchronization

/// Whether this replica should be sent requests. Made once a loop; only the draining mark is shared.
final class Readiness {
    private let database: PostgresClient
    private let revoked: RevokedSessions
    private let draining: DrainingMark
    private let migrator: Migrator

    init(database: PostgresClient, revoked: RevokedSessions, draining: DrainingMark, migrator: Migrator) {
        self.database = database
        self.revoked = revoked
        self.draining = draining
        self.migrator = migrator
    }

    /// What stands in the way; nil when nothing does. The upstream is no part of it: without one everything else still works.
    func obstacle() async -> ServiceError? {
        if draining.isSet { return ServiceError(.shuttingDown) }
        if !revoked.isLoaded { return ServiceError(.databaseUnavailable, "Revoked sessions are not loaded yet") }
        do throws(PostgresError) {
            let applied = try await database.execute(Migrator.appliedNames, [], deadline: .seconds(1))
            if try !migrator.isCurrent(applied) {
                return ServiceError(.databaseUnavailable, "The database's schema is not current: run `APIServer migrate`")
            }
            return nil
        } catch {
            return error.serviceError
        }
    }
}

/// Set once, when the process begins to end; read by every loop.
final class DrainingMark: Sendable {
    private let mark = Atomic<Bool>(false)
    var isSet: Bool { mark.load(ordering: .relaxed) }
    func set() { mark.store(true, ordering: .relaxed) }
}
