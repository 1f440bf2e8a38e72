import Foundation
import PlaygroundCore
import Postgres
import Synchronization
import TestSupport

@testable import RateLimit

/// Several connections that reserve for one user at the same moment: each has looked at the row before any of them may change it.
struct CrowdedRow {
    private static let crowd = 8
    private static let room = 3

    /// - Returns: what is wrong afterwards; nothing where all is well.
    static func violations(fault: PlantedFault? = nil) throws -> [String] {
        let database = try LimitsDatabase()
        if let fault { try database.run(fault.sql()) }
        try database.run("update plans set requests_per_minute = null, tokens_per_minute = null, concurrent_streams = \(room)")
        let user = try database.makeUser()
        try database.run(LedgerAudit.triggers)
        var limits = LimiterModel.Limits()
        limits.concurrentStreams = Int64(room)
        let holder = try BlockingConnection(PostgresConfiguration(database.superuser))
        try holder.run("begin; select from buckets where scope = '\(user)' for update")
        let admitted = Atomic(0)
        let group = DispatchGroup()
        for _ in 0..<crowd {
            group.enter()
            Thread.detachNewThread {
                if (try? reserve(user, in: database)) == true { admitted.add(1, ordering: .relaxed) }
                group.leave()
            }
        }
        let end = ContinuousClock.now + .seconds(10)
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while try database.value(waiting) != "\(crowd)" {
            guard ContinuousClock.now < end else { throw TestFailure("they do not meet at the row") }
            usleep(10_000)
        }
        try holder.run("commit")
        group.wait()
        let count = admitted.load(ordering: .relaxed)
        let inFlight = try database.inFlight(user)
        var found: [String] = []
        if count > room { found.append("\(count) admitted where \(room) have room") }
        if inFlight != count { found.append("\(count) admitted, \(inFlight ?? -1) counted") }
        let audit = try LedgerAudit(rows: database.run(LedgerAudit.query))
        return found + audit.violations(limits: [user.description: limits])
    }

    /// Whether it is admitted.
    private static func reserve(_ user: UserID, in database: LimitsDatabase) throws -> Bool {
        let connection = try BlockingConnection(database.configuration())
        let rows = try connection.run(
            LimitStatements.reserve.sql,
            [
                .uuid(randomUUID()), .uuidArray([randomUUID()]), .uuidArray([randomUUID()]), .uuidArray([user.uuid]),
                .uuidArray([nil]), .intArray([5]),
                .intArray([5]), .textArray(["m"]), .uuidArray([nil]), .textArray([""]), .bool(false), .bool(true),
            ])
        return try rows.string(0, 0) == "admitted"
    }
}
