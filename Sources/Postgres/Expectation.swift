/// What the server's next results belong to. A statement's results end with libpq's nil, a sync group with a sync.
enum Expectation {
    case preparation(Preparation)
    case endOfPreparation(Preparation)
    case step(PostgresCall, Preparation)
    case end(PostgresCall)

    /// When the answer is due, in the loop's milliseconds.
    var deadline: Int64 {
        switch self {
        case .preparation(let preparation), .endOfPreparation(let preparation): preparation.deadline
        case .step(let call, _), .end(let call): call.deadline
        }
    }
}

/// A statement that a connection knows, or is being taught.
final class Preparation {
    let statement: PostgresStatement
    /// That of the call which needed it first.
    let deadline: Int64
    /// Calls that were sent behind a preparation that failed hear of this instead of "no such statement".
    var failure: PostgresError?

    init(_ statement: PostgresStatement, deadline: Int64) {
        self.statement = statement
        self.deadline = deadline
    }
}
