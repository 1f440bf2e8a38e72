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
            let steps = [Migrator.appliedNames, ApplicationRole.standing].map { ($0, [PostgresValue]()) }
            let results = try await database.transaction(steps, deadline: .seconds(1))
            guard let applied = results.first, let standing = results.last else { throw .decoding("no result") }
            if try !migrator.isCurrent(applied) {
                return ServiceError(.databaseUnavailable, "The database's schema is not current: run `APIServer migrate`")
            }
            if let objection = try ApplicationRole.objection(standing) {
                return ServiceError(.databaseUnavailable, "Users' rows are not kept apart: \(objection)")
            }
            return nil
        } catch {
            // What the server says of a role that is missing or may not be assumed names it, in every language.
            if case .unavailable(let cause) = error, cause.contains(ApplicationRole.name) {
                return ServiceError(
                    .databaseUnavailable, "The login cannot act as \(ApplicationRole.name): run `APIServer migrate`", cause: cause
                )
            }
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
