import Foundation
import TestSupport
import Testing

/// The limits and the bill, held against everything that can happen at once: three replicas on one database, one with a wrong
/// clock; users that read, leave, stop and meet upstream failures, and send the same once more to another replica, at the same
/// moment, midway, after the end and after a failure; a replica killed every few seconds, the database restarted and stopped.
/// The upstream's own record is the independent ledger.
///
/// This is the short form. `bin/soak` runs the same for longer: LEDGER_SECONDS and LEDGER_SEEDS are its numbers.
@Suite("The ledger", .serialized)
struct LedgerTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let seconds = environment["LEDGER_SECONDS"].flatMap { Int($0) } ?? 24
    static let seeds = environment["LEDGER_SEEDS"]?.split(separator: ",").compactMap { UInt64($0) } ?? [1]

    @Test(
        "is right to the token after kills, restarts, aborts and faults, and no limit was passed", .timeLimit(.minutes(30)),
        arguments: seeds)
    func sums(seed: UInt64) async throws {
        // What was committed has to be there after a crash of the server.
        let durable = ["synchronous_commit": "on", "wal_level": "replica", "full_page_writes": "on"]
        let postgres = try await PostgresServer.own(settings: durable)
        try await Stack.with(replicas: 2, users: LedgerUser.all.count, postgres: postgres) { stack in
            try stack.startReplica(LedgerRun.wrongClock(minutes: 5))
            let ids = try stack.rows("select id::text from users order by id").compactMap { $0[0] }
            let tokens = try ids.indices.map { try stack.session(user: $0, secondsLeft: 86_400).accessToken }
            for (user, id) in zip(LedgerUser.all, ids) { _ = try stack.rows(user.sql(id)) }
            // A limit of the instance that nobody meets: its row is charged with every completion nevertheless.
            _ = try stack.rows("update instance set tokens_per_day = 1000000000")
            _ = try stack.rows(LedgerAudit.triggers)

            #expect(try stack.minutesAhead(stack.replicas[2]) >= 4, "its clock is wrong indeed")
            let run = LedgerRun(stack, postgres: postgres, seed: seed, tokens: tokens, seconds: Self.seconds)
            try run.run()
            // A process is called dead after 30 s, by one that has lived as long, at a look every 10 s.
            try stack.expect("select count(*) from reservations", becomes: "0", within: .seconds(45))

            #expect(try stack.rows("select scope, in_flight from buckets where in_flight <> 0") == [])
            let audit = try LedgerAudit(rows: stack.rows(LedgerAudit.query))
            let limits = Dictionary(uniqueKeysWithValues: zip(ids, LedgerUser.all.map(\.limits)))
            report(audit.violations(limits: limits), "the record of the rows", seed)
            let sums = try LedgerSums(run, stack, audit)
            report(sums.violations, "the bill", seed)
            #expect(try stack.rows(Self.unequalCounts) == [], "counts of the day against the bill")

            let steady = run.attempts.filter { $0.request.user == 0 }
            #expect(!steady.contains { $0.isRateRefusal }, "at 90 % of its rate nobody is refused")
            let retries = run.retries
            #expect(retries.kept * 100 >= 99 * (retries.kept + retries.broken), "a wait that is told can be believed: \(retries)")
            // What did not happen was not proved.
            #expect(retries.kept >= Self.seconds && steady.count >= Self.seconds * 2)
            #expect(run.killed.count >= 2 && run.databaseRestarts >= 1 && run.databaseStandstills >= 1)
            #expect(sums.repetitions >= Self.seconds && sums.undone >= 1, "\(sums.repetitions), \(sums.undone)")
            for outcome in ["done", "stopped", "failed", "client_gone", "process_lost"] {
                #expect(sums.outcomes[outcome, default: 0] > 0, "\(outcome) among \(sums.outcomes)")
            }
            print(
                """
                ↳ seed \(seed): \(run.attempts.count) requests, \(sums.repetitions) of them again, \(sums.outcomes), undone \(sums.undone), \
                killed \(run.killed.count), retries \(retries)
                """
            )
        }
        try postgres.remove()
    }

    /// Users, and the instance, whose counts are not the sum of the bill.
    private static let unequalCounts = """
        select b.scope, b.day_tokens, b.month_tokens
        from buckets b left join lateral (
            select coalesce(sum(prompt_tokens + completion_tokens) filter (where utc_day(started_at) = b.day), 0) as of_day,
                coalesce(sum(prompt_tokens + completion_tokens) filter (where utc_month(started_at) = b.month), 0) as of_month
            from usage u where u.user_id = b.scope or b.scope = instance_scope()
        ) s on true
        where b.day_tokens <> s.of_day or b.month_tokens <> s.of_month
        """

    private func report(_ violations: [String], _ where: String, _ seed: UInt64) {
        #expect(
            violations.isEmpty,
            "\(`where`), LEDGER_SEEDS=\(seed), \(violations.count): \(violations.prefix(10).joined(separator: "\n"))")
    }
}

extension Stack {
    /// How far a replica's clock is ahead of ours, by what it says of it in an answer.
    fileprivate func minutesAhead(_ replica: Replica) throws -> Int {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        let told = try ask("GET", "/healthz", on: replica).head["date"]
        guard let told, let date = formatter.date(from: told) else { throw TestFailure("no date: \(told ?? "none")") }
        return Int(date.timeIntervalSinceNow / 60)
    }
}
