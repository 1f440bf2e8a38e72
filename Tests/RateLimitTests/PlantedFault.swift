import Foundation
import Postgres
import TestSupport
import Testing

/// A fault in the limiter's functions, made of a migration's own text: what is to be replaced has to be there.
struct PlantedFault: Sendable, CustomTestStringConvertible {
    /// What is wrong, in words.
    let testDescription: String
    private let function: String
    private let original: String
    private let faulty: String

    /// - Parameters:
    ///   - function: as the schema names it.
    ///   - original: stands in its text once.
    init(_ description: String, in function: String, _ original: String, becomes faulty: String) {
        testDescription = description
        self.function = function
        self.original = original
        self.faulty = faulty
    }

    /// Replaces the function by its faulty twin.
    func sql() throws -> String {
        let schema = try SchemaDatabase.migrations().map(\.sql).joined(separator: "\n")
        // The latest text counts, should a later migration replace the function.
        guard
            let begin = schema.ranges(of: #/create (or replace )?function /#).last(where: { range in
                schema[range.upperBound...].hasPrefix(function + "(")
            }), let end = schema[begin.upperBound...].firstRange(of: "\n$$;\n")
        else {
            throw TestFailure("no function \(function)")
        }
        let text = String(schema[begin.upperBound..<end.upperBound])
        guard text.ranges(of: original).count == 1 else { throw TestFailure("not once in \(function): \(original)") }
        // What replaces a function acts as its caller again.
        return "create or replace function " + text.replacing(original, with: faulty) + "select guard_task('\(function)')"
    }

    static let lostSettlement = PlantedFault(
        "a settlement that is lost: what it gives back is not written", in: "settle_completions",
        "perform write_buckets(scopes, changed);", becomes: "")

    static let lostRefund = PlantedFault(
        "a settlement that gives a slot back and keeps the tokens", in: "settle_completions",
        "select user_id as scope, 1, (outcome = '')::int, unspent, created_at from closed",
        becomes: "select user_id as scope, 1, (outcome = '')::int, 0, created_at from closed")

    static let slotFreedTwice = PlantedFault(
        "a slot that is freed twice: by who finds a process dead, and by the process itself", in: "settle_completions",
        "select user_id, 0, 0, unspent, started_at from corrected",
        becomes: "select user_id, 1, 0, unspent, started_at from corrected")

    static let repeatedID = PlantedFault(
        "a second admission under an id that was settled", in: "taken_ids", "where u.completion_id = any (completions) and",
        becomes: "where false and")

    static let voidByID = PlantedFault(
        "an attempt that is given up undoes another one under its id", in: "void_attempts",
        "join reservations r using (completion_id, attempt)", becomes: "join reservations r using (completion_id)")

    /// Found only where a twin comes and goes while a batch waits.
    static let unseenTwin = PlantedFault(
        "ids that were taken meanwhile are looked for among what runs, not among what has run", in: "reserve_completions",
        "where u.completion_id = any (ids)", becomes: "where false")

    static let lostDay = PlantedFault(
        "a day that is over still counts what is given back", in: "settle_completions",
        "utc_day(c.admitted_at) >= greatest(b.day, utc_day(clock))", becomes: "true")

    /// Found only where several come at one time.
    static let checkOutside = PlantedFault(
        "a check outside the lock", in: "reserve_completions",
        "exit when cardinality(admitted) = 0 or is_locked;", becomes: "exit;")
}
