/// One SQL statement of the program. A connection prepares it under its name when it first needs it.
///
/// A name stands for one text: a connection that meets the name with another text stops the program.
package struct PostgresStatement: Sendable {
    /// What a lost connection means for a call that had been sent.
    package enum Effect: Sendable {
        /// Changes nothing: the call failed, that is all.
        case read
        /// May have been carried out: the outcome is unknown.
        case write
    }

    /// How the server sends results.
    package enum Form: Int32, Sendable {
        /// Whatever the type, as people read it.
        case text
        /// Integers, booleans, doubles, UUIDs, bytes and texts, quicker to read; no other types.
        case binary
    }

    /// Unique in the program, at most 63 bytes (PostgreSQL's bound on names).
    package let name: String
    /// The text, with $1, $2 ... for its values.
    package let sql: String
    /// Decides between `unavailable` and `unknownOutcome` when the connection is lost.
    package let effect: Effect
    /// What its results are read from.
    package let form: Form

    /// One statement; it counts as a write unless said otherwise, which is the safe side.
    package init(_ name: StaticString, _ sql: StaticString, _ effect: Effect = .write, results form: Form = .text) {
        self.init(name: name.description, sql: sql.description, effect: effect, form: form)
    }

    /// For texts that are put together from the program's own parts, as LISTEN with its channel.
    init(name: String, sql: String, effect: Effect, form: Form = .text) {
        self.name = name
        self.sql = sql
        self.effect = effect
        self.form = form
    }
}
