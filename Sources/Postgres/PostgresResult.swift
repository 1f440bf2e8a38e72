package import PlaygroundCore
import StrictJSON

/// The rows of one statement. Fields are read by row and column, both from 0; a field of another form than the reader asks for
/// throws ``PostgresError/decoding(_:)``, which names the place and never the value.
package struct PostgresResult: Sendable {
    private let handle: ResultHandle
    /// The number of rows.
    package let count: Int
    /// The number of columns.
    package let columns: Int
    private let isBinary: Bool

    init(_ handle: ResultHandle) {
        self.handle = handle
        count = handle.rows
        columns = handle.columns
        isBinary = handle.isBinary
    }

    /// The number of rows that an INSERT, UPDATE or DELETE changed, or a SELECT returned.
    package var affected: Int { handle.affected }
    /// Whether there is no row.
    package var isEmpty: Bool { count == 0 }
    /// The row numbers.
    package var rows: Range<Int> { 0..<count }

    /// Text; NULL throws.
    package func string(_ row: Int, _ column: Int) throws(PostgresError) -> String {
        try required(stringIfPresent(row, column), row, column)
    }

    /// nil for SQL NULL.
    package func stringIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> String? {
        try field(row, column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// An integer of any width; NULL throws.
    package func int(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        try required(intIfPresent(row, column), row, column)
    }

    /// nil for SQL NULL.
    package func intIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        guard let field = try field(row, column) else { return nil }
        guard let integer = isBinary ? Self.binaryInteger(field) : Int64(decimal: field) else {
            throw unreadable("an integer", row, column)
        }
        return integer
    }

    /// A floating-point value, as text also a numeric one; NULL throws.
    package func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double {
        try required(doubleIfPresent(row, column), row, column)
    }

    /// nil for SQL NULL.
    package func doubleIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> Double? {
        guard let field = try field(row, column) else { return nil }
        let double =
            isBinary
            ? Self.word(field).map { Double(bitPattern: $0) } : Double(String(decoding: field, as: UTF8.self))
        guard let double else { throw unreadable("a number", row, column) }
        return double
    }

    /// A boolean; NULL throws.
    package func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        try required(boolIfPresent(row, column), row, column)
    }

    /// nil for SQL NULL.
    package func boolIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> Bool? {
        guard let field = try field(row, column) else { return nil }
        switch (field.count, field.first) {
        case (1, isBinary ? 1 : UInt8(ascii: "t")): return true
        case (1, isBinary ? 0 : UInt8(ascii: "f")): return false
        default: throw unreadable("a boolean", row, column)
        }
    }

    /// Whether any row has a boolean that is true there.
    package func anyRow(isTrue column: Int) throws(PostgresError) -> Bool {
        for row in rows where try boolIfPresent(row, column) == true { return true }
        return false
    }

    /// A UUID; NULL throws.
    package func uuid(_ row: Int, _ column: Int) throws(PostgresError) -> UUIDBytes {
        try required(uuidIfPresent(row, column), row, column)
    }

    /// nil for SQL NULL.
    package func uuidIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> UUIDBytes? {
        guard let field = try field(row, column) else { return nil }
        guard let uuid = isBinary ? Self.binaryUUID(field) : UUIDBytes(utf8: field) else {
            throw unreadable("a UUID", row, column)
        }
        return uuid
    }

    /// A bytea; NULL throws.
    package func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8] {
        try required(bytesIfPresent(row, column), row, column)
    }

    /// A bytea, as text in hex form (\x..., the server's default); nil for SQL NULL.
    package func bytesIfPresent(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8]? {
        guard let field = try field(row, column) else { return nil }
        if isBinary { return Array(field) }
        guard field.count >= 2, field.count % 2 == 0, field[0] == UInt8(ascii: "\\"), field[1] == UInt8(ascii: "x") else {
            throw unreadable("bytes", row, column)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(field.count / 2 - 1)
        for index in stride(from: 2, to: field.count, by: 2) {
            guard let high = Self.nibble(field[index]), let low = Self.nibble(field[index + 1]) else {
                throw unreadable("bytes", row, column)
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private func field(_ row: Int, _ column: Int) throws(PostgresError) -> UnsafeBufferPointer<UInt8>? {
        guard row >= 0, row < count, column >= 0, column < columns else {
            throw .decoding("no field at row \(row), column \(column) of a result of \(count) rows and \(columns) columns")
        }
        return handle.field(row, column)
    }

    private func required<Value>(_ value: Value?, _ row: Int, _ column: Int) throws(PostgresError) -> Value {
        guard let value else { throw .decoding("NULL at row \(row), column \(column)") }
        return value
    }

    private func unreadable(_ expected: String, _ row: Int, _ column: Int) -> PostgresError {
        .decoding("not \(expected) at row \(row), column \(column)")
    }

    /// Two, four or eight bytes, the highest first.
    private static func binaryInteger(_ field: UnsafeBufferPointer<UInt8>) -> Int64? {
        let bytes = UnsafeRawBufferPointer(field)
        return switch field.count {
        case 8: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case 4: Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case 2: Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        default: nil
        }
    }

    private static func binaryUUID(_ field: UnsafeBufferPointer<UInt8>) -> UUIDBytes? {
        guard field.count == 16 else { return nil }
        let bytes = UnsafeRawBufferPointer(field)
        return UUIDBytes(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private static func word(_ field: UnsafeBufferPointer<UInt8>) -> UInt64? {
        field.count == 8 ? UInt64(bigEndian: UnsafeRawBufferPointer(field).loadUnaligned(as: UInt64.self)) : nil
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
