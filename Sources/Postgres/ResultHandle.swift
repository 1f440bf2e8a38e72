import CLibpq

/// Owns one PGresult.
///
/// `@unchecked Sendable`: a PGresult is not changed once libpq has handed it out, its readers only read, and it is freed when
/// the last reference goes (libpq manual, "Behavior in Threaded Programs": results may be passed around freely).
final class ResultHandle: @unchecked Sendable {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    enum Status {
        /// The statement succeeded, with or without rows.
        case success
        case error
        /// Not run, because a statement before it in the sync group failed.
        case aborted
        /// The end of a sync group.
        case sync
        /// COPY and single-row mode, which this program never asks for.
        case unexpected
    }

    var status: Status {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: .success
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE: .error
        case PGRES_PIPELINE_ABORTED: .aborted
        case PGRES_PIPELINE_SYNC: .sync
        default: .unexpected
        }
    }

    var rows: Int { Int(PQntuples(result)) }
    var columns: Int { Int(PQnfields(result)) }
    /// Whether all fields are in binary form, rather than texts.
    var isBinary: Bool { PQbinaryTuples(result) == 1 }
    /// The number of rows that the command changed or returned; 0 for commands that count none.
    var affected: Int { PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0 }

    /// The bytes of a field, nil for SQL NULL; the indices must be in range. Valid while this object lives.
    func field(_ row: Int, _ column: Int) -> UnsafeBufferPointer<UInt8>? {
        let row = Int32(truncatingIfNeeded: row)
        let column = Int32(truncatingIfNeeded: column)
        let length = Int(PQgetlength(result, row, column))
        // NULL has no length.
        if length == 0, PQgetisnull(result, row, column) == 1 { return nil }
        let bytes = UnsafeRawPointer(PQgetvalue(result, row, column))?.assumingMemoryBound(to: UInt8.self)
        return UnsafeBufferPointer(start: bytes, count: length)
    }

    /// The server's error; nil when libpq made the result itself, because the connection was lost.
    var serverError: PostgresError? {
        guard let state = Self.diagnostic(result, "C") else { return nil }
        return .server(
            SQLState(rawValue: state), message: Self.diagnostic(result, "M") ?? "no message",
            constraint: Self.diagnostic(result, "n"))
    }

    /// libpq's complaint, on one line.
    var message: String { Self.oneLine(PQresultErrorMessage(result)) }

    /// A notice for the log; libpq keeps and frees the result that a notice receiver is given.
    static func noticeText(_ result: OpaquePointer) -> String {
        "\(diagnostic(result, "S") ?? "NOTICE"): \(diagnostic(result, "M") ?? oneLine(PQresultErrorMessage(result)))"
    }

    /// A PG_DIAG_ field; its code is a character (protocol manual, "Error and Notice Message Fields").
    private static func diagnostic(_ result: OpaquePointer, _ code: Unicode.Scalar) -> String? {
        PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }

    /// libpq ends its messages with a line feed and may put several into one.
    static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
        guard let message else { return "no message" }
        let lines = String(cString: message).split(whereSeparator: \.isNewline)
        return lines.isEmpty ? "no message" : lines.map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
    }
}
