import Dispatch
import Foundation
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport

@testable import RateLimit

/// An id that is sent twice: one of the two is admitted and settled while the other has looked, found nothing, and waits because
/// somebody else's row, which comes before its user's, is held.
struct LateTwin {
    /// - Returns: what is wrong afterwards; nothing where all is well.
    static func violations(fault: PlantedFault? = nil) throws -> [String] {
        let database = try SchemaDatabase()
        if let fault { try database.run(fault.sql()) }
        // Rows are locked in the order of their users: the one that has to be waited for comes first.
        let users = [try database.makeUser(), try database.makeUser()].sorted { $0.description < $1.description }
        let id = randomUUID()
        let holder = try BlockingConnection(PostgresConfiguration(database.superuser))
        try holder.run("begin")
        try holder.run("select from buckets where scope = $1 for update", [.uuid(users[0].uuid)])

        let late = Mutex<Result<String, any Error>?>(nil)
        let group = DispatchGroup()
        group.enter()
        Thread.detachNewThread {
            let verdict = Result { try reserve([(users[0], randomUUID()), (users[1], id)], in: database) }
            late.withLock { $0 = verdict }
            group.leave()
        }
        let end = ContinuousClock.now + .seconds(10)
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while try database.value(waiting) != "1" {
            guard ContinuousClock.now < end else { throw TestFailure("nobody waits for the row") }
            usleep(10_000)
        }
        var found: [String] = []
        if try reserve([(users[1], id)], in: database) != "admitted" { found.append("the first is not admitted") }
        let connection = try BlockingConnection(database.configuration())
        try connection.run(
            LimitStatements.settle.sql,
            [
                .uuidArray([id]), .uuidArray([nil]), .intArray([3]), .intArray([0]), .intArray([0]), .intArray([0]),
                .textArray(["exact"]), .textArray(["done"]), .textArray([""]), .textArray([""]), .textArray([""]), .bool(false),
            ])
        try holder.run("commit")
        group.wait()

        switch late.withLock({ $0 }) {
        case .failure(let error as PostgresError) where error.state?.isRetryable == true: break
        case let other: found.append("the twin had \(String(describing: other))")
        }
        let verdict = try reserve([(users[1], id)], in: database)
        if verdict != "repeated" { found.append("a third is \(verdict)") }
        if try database.bills() != 1 { found.append("\(try database.bills() ?? 0) bills") }
        if try database.reservations() != 0 { found.append("\(try database.reservations() ?? 0) are still running") }
        return found
    }

    /// Asks for all of them in one statement; the verdict on the last one.
    private static func reserve(_ asked: [(user: UserID, id: UUIDBytes)], in database: SchemaDatabase) throws -> String {
        let connection = try BlockingConnection(database.configuration())
        let rows = try connection.run(
            LimitStatements.reserve.sql,
            [
                .uuid(randomUUID()), .uuidArray(asked.map(\.id)), .uuidArray(asked.map { _ in randomUUID() }),
                .uuidArray(asked.map(\.user.uuid)), .uuidArray(asked.map { _ in nil }), .intArray(asked.map { _ in 5 }),
                .intArray(asked.map { _ in 5 }), .textArray(asked.map { _ in "m" }), .uuidArray(asked.map { _ in nil }),
                .textArray(asked.map { _ in "" }), .bool(false), .bool(false),
            ])
        return try rows.string(rows.count - 1, 0)
    }
}
