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

    private let attempts: [LedgerAttempt]
    private let killed: Set<Int32>
    private var bills: [String: [Bill]] = [:]
    /// Tokens that the upstream sent under each id.
    private var sent: [String: Int] = [:]
    private let admissions: [String: Int]

    init(_ run: LedgerRun, _ stack: Stack, admissions: [String: Int]) throws {
        attempts = run.attempts
        killed = run.killed
        self.admissions = admissions
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
        }
    }

    /// How many there are of each outcome.
    var outcomes: [String: Int] { bills.values.joined().reduce(into: [:]) { $0[$1.outcome, default: 0] += 1 } }

    var violations: [String] {
        var found: [String] = []
        for (id, count) in admissions where count > 1 { found.append("\(id) admitted \(count) times") }
        for id in bills.keys where admissions[id] == nil { found.append("\(id) billed and never admitted") }
        for id in sent.keys where bills[id] == nil { found.append("\(id) sent by the upstream and not billed") }
        for attempt in attempts {
            let mine = bills[attempt.id] ?? []
            if mine.count > 1 { found.append("\(attempt.id) has \(mine.count) rows") }
            if attempt.status == 200, mine.isEmpty { found.append("\(attempt.id) was answered and has no row") }
            if attempt.status == 429, !mine.isEmpty { found.append("\(attempt.id) was refused and has a row") }
            if let bill = mine.first { found += self.violations(of: bill, attempt) }
        }
        return found
    }

    private func violations(of bill: Bill, _ attempt: LedgerAttempt) -> [String] {
        let sent = sent[attempt.id] ?? 0
        var faults: [String] = []
        if bill.tokens > sent { faults.append("more than was sent") }
        switch bill.outcome {
        case "process_lost":
            if !killed.contains(attempt.process) { faults.append("its process was alive") }
            if attempt.interval > 0, sent - bill.tokens > Self.reporting / attempt.interval + 3 {
                faults.append("more than its last five seconds is missing")
            }
        case "done":
            if bill.tokens != attempt.tokens || sent < attempt.tokens { faults.append("not what was asked for") }
        case "failed":
            if bill.tokens < attempt.seen { faults.append("less than came") }
        default:
            if bill.tokens < attempt.seen { faults.append("less than came") }
            if attempt.interval > 0, sent - bill.tokens > Self.reaction / attempt.interval + 1 {
                faults.append("more than a second's tokens were sent in vain")
            }
        }
        return faults.map { "\($0): billed \(bill.tokens) as \(bill.outcome), sent \(sent), \(attempt)" }
    }
}
