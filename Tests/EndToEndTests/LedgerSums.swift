import Foundation
import StrictJSON
import TestSupport

/// The bill of a run against what its clients saw and what the upstream says it sent.
struct LedgerSums {
    /// A row of the bill.
    private struct Bill {
        let outcome: String
        let tokens: Int
    }

    /// How long a stream may go on after its client has left, or its owner has stopped it.
    private static let reaction = 1_000
    /// Milliseconds that a process may be behind with what it tells of its streams, and what the machine may add.
    private static let reporting = 5_000 + 500

    private let attempts: [String: [LedgerAttempt]]
    private let killed: Set<Int32>
    private var bills: [String: [Bill]] = [:]
    /// Tokens that the upstream sent under each id.
    private var sent: [String: Int] = [:]
    /// How many requests under each id the upstream has begun to answer, or would have.
    private var runs: [String: Int] = [:]
    private let admissions: [String: Int]
    private let voids: [String: Int]

    init(_ run: LedgerRun, _ stack: Stack, _ audit: LedgerAudit) throws {
        attempts = Dictionary(grouping: run.attempts, by: \.id)
        killed = run.killed
        admissions = audit.admissions
        voids = audit.voids
        for row in try stack.rows("select completion_id::text, outcome, completion_tokens::text from usage") {
            guard let id = row[0], let outcome = row[1], let tokens = row[2].flatMap({ Int($0) }) else { continue }
            bills[id, default: []].append(Bill(outcome: outcome, tokens: tokens))
        }
        let journal = try stack.upstream.client(deadline: .seconds(60)).request("GET", "/_requests")
        let records = try JSONValue(parsing: journal.body).array?.compactMap(\.object) ?? []
        guard records.first?["number"]?.integer == 1 else { throw TestFailure("the upstream does not remember everything") }
        for record in records {
            guard let id = record["id"]?.string else { continue }
            sent[id, default: 0] += record["tokens_sent"]?.integer ?? 0
            // What goes wrong before there is output may be asked once more.
            if record["ended"]?.string != "refused", record["tokens_sent"]?.integer != 0 { runs[id, default: 0] += 1 }
        }
    }

    /// How many there are of each outcome.
    var outcomes: [String: Int] { bills.values.joined().reduce(into: [:]) { $0[$1.outcome, default: 0] += 1 } }

    /// How often an id was sent again and refused because of that.
    var repetitions: Int { attempts.values.joined().count { $0.status == 409 } }
    /// Admissions that were undone because their answers did not come in time.
    var undone: Int { voids.values.reduce(0, +) }

    var violations: [String] {
        var found: [String] = []
        for (id, count) in admissions where count != voids[id, default: 0] + (bills[id]?.count ?? 0) {
            found.append("\(id) admitted \(count) times, undone \(voids[id, default: 0]) times, \(bills[id]?.count ?? 0) bills")
        }
        for (id, rows) in bills where rows.count > 1 { found.append("\(id) has \(rows.count) rows") }
        for id in bills.keys where admissions[id] == nil { found.append("\(id) billed and never admitted") }
        for id in sent.keys where bills[id] == nil { found.append("\(id) sent by the upstream and not billed") }
        for (id, count) in runs where count > 1 { found.append("\(id) was run \(count) times") }
        for (id, attempts) in attempts {
            let faults = repetitionFaults(attempts) + billFaults(attempts, bills[id]?.first)
            found += faults.map { "\(id) \($0): \(bills[id] ?? []), sent \(sent[id] ?? 0), \(attempts)" }
        }
        return found
    }

    /// Whoever sends an id that has been taken hears so, while it runs and ever after, or that nobody can tell.
    private func repetitionFaults(_ attempts: [LedgerAttempt]) -> [String] {
        var faults: [String] = []
        let completed = attempts.filter { $0.status == 200 }
        if completed.count > 1 { faults.append("was answered \(completed.count) times") }
        if let id = attempts.first?.id, attempts.contains(where: { $0.status == 409 }), admissions[id] == nil {
            faults.append("was told to be taken and was never admitted")
        }
        if let answered = completed.first?.answered {
            for attempt in attempts where attempt.began > answered && ![409, 503, 0].contains(attempt.status) {
                faults.append("was taken and is answered \(attempt.status)")
            }
        }
        return faults
    }

    private func billFaults(_ attempts: [LedgerAttempt], _ bill: Bill?) -> [String] {
        guard let request = attempts.first?.request else { return [] }
        guard let bill else {
            return attempts.contains { $0.status == 200 } ? ["was answered and has no row"] : []
        }
        // Others than these did not run it.
        let ran = attempts.filter { ![409, 429].contains($0.status) }
        if ran.isEmpty { return ["was refused and has a row"] }
        let seen = ran.map(\.seen).max() ?? 0
        let sent = sent[request.id] ?? 0
        var faults: [String] = []
        if bill.tokens > sent { faults.append("more than was sent") }
        switch bill.outcome {
        case "process_lost":
            if killed.isDisjoint(with: ran.map(\.process)) { faults.append("its process was alive") }
            if request.interval > 0, sent - bill.tokens > Self.reporting / request.interval + 3 {
                faults.append("more than its last five seconds is missing")
            }
        case "done":
            if bill.tokens != request.tokens || sent < request.tokens { faults.append("not what was asked for") }
        case "failed":
            if bill.tokens < seen { faults.append("less than came") }
        default:
            if bill.tokens < seen { faults.append("less than came") }
            if request.interval > 0, sent - bill.tokens > Self.reaction / request.interval + 1 {
                faults.append("more than a second's tokens were sent in vain")
            }
        }
        return faults
    }
}
