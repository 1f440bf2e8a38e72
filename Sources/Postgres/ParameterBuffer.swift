import Glibc
import PlaygroundCore
import StrictJSON

/// The values of one call as libpq takes them: pointers to NUL-terminated texts, or to bytes with a length.
///
/// UUIDs and arrays go in PostgreSQL's binary form, which is shorter, needs no quotes, and cannot be taken for another type;
/// numbers in digits, which suit whatever width the statement gives them.
struct ParameterBuffer {
    private enum Format: Int32 { case text, binary }

    /// Oids of PostgreSQL's types, as they stand in the head of an array (catalog `pg_type`).
    private enum ElementType: Int32 { case int8 = 20, text = 25, uuid = 2950 }

    private var bytes: [UInt8] = []
    /// Where each value begins in `bytes`, -1 for NULL.
    private var offsets: [Int] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    /// libpq counts parameters in 16 bits.
    static let maximumCount = 65_535

    init(_ values: [PostgresValue]) throws(PostgresError) {
        guard values.count <= Self.maximumCount else { throw .invalidValue("more than \(Self.maximumCount) values") }
        bytes.reserveCapacity(32 * values.count)
        offsets.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        formats.reserveCapacity(values.count)
        for value in values { try append(value) }
    }

    private mutating func append(_ value: PostgresValue) throws(PostgresError) {
        let start = bytes.count
        var format = Format.text
        switch value {
        case .null:
            offsets.append(-1)
            lengths.append(0)
            formats.append(format.rawValue)
            return
        case .text(let text): try append(text)
        case .int(let integer): bytes.append(decimal: integer)
        case .double(let double): try append(Self.text(double))
        case .bool(let bool): bytes.append(bool ? UInt8(ascii: "t") : UInt8(ascii: "f"))
        case .uuid(let uuid):
            append(uuid)
            format = .binary
        case .bytes(let raw):
            bytes.append(contentsOf: raw)
            format = .binary
        case .textArray(let texts):
            appendArrayHead(of: .text, count: texts.count)
            for text in texts {
                append(bigEndian: Int32(clamping: text.utf8.count))
                try append(text)
            }
            format = .binary
        case .intArray(let integers):
            appendArrayHead(of: .int8, count: integers.count)
            for integer in integers {
                append(bigEndian: Int32(integer == nil ? -1 : 8))
                if let integer { append(bigEndian: integer) }
            }
            format = .binary
        case .uuidArray(let uuids):
            appendArrayHead(of: .uuid, count: uuids.count)
            for uuid in uuids {
                append(bigEndian: Int32(uuid == nil ? -1 : 16))
                if let uuid { append(uuid) }
            }
            format = .binary
        }
        offsets.append(start)
        lengths.append(Int32(clamping: bytes.count - start))
        formats.append(format.rawValue)
        bytes.append(0)
    }

    // MARK: Parts

    /// PostgreSQL's texts hold no NUL: a C string would end there, and the rest be lost without a word.
    private mutating func append(_ text: String) throws(PostgresError) {
        var text = text
        let isStorable = text.withUTF8 { characters in
            bytes.append(contentsOf: characters)
            return characters.baseAddress.map { memchr($0, 0, characters.count) == nil } ?? true
        }
        guard isStorable else { throw .invalidValue("text with U+0000") }
    }

    private mutating func append(_ uuid: UUIDBytes) {
        append(bigEndian: uuid.high)
        append(bigEndian: uuid.low)
    }

    private mutating func append(bigEndian integer: some FixedWidthInteger) {
        withUnsafeBytes(of: integer.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// What stands before the elements of an array of one dimension, whose first index is 1. Whether it has NULLs is a hint that
    /// the server checks for itself.
    private mutating func appendArrayHead(of type: ElementType, count: Int) {
        for word in [count == 0 ? 0 : 1, 0, type.rawValue] { append(bigEndian: word) }
        if count > 0 { for word in [Int32(clamping: count), 1] { append(bigEndian: word) } }
    }

    private static func text(_ double: Double) -> String {
        if double.isNaN { return "NaN" }
        if double.isInfinite { return double < 0 ? "-Infinity" : "Infinity" }
        return double.description
    }

    typealias CStrings = UnsafePointer<UnsafePointer<CChar>?>

    /// The pointers are valid during the call.
    func withPointers<R>(_ body: (Int32, CStrings?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R) -> R {
        bytes.withUnsafeBytes { bytes in
            let base = bytes.assumingMemoryBound(to: CChar.self).baseAddress
            return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: max(1, offsets.count)) { pointers in
                for (index, offset) in offsets.enumerated() {
                    pointers.initializeElement(at: index, to: offset < 0 ? nil : base.map { $0 + offset })
                }
                return lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(
                            Int32(offsets.count), pointers.baseAddress.map { CStrings($0) }, lengths.baseAddress,
                            formats.baseAddress)
                    }
                }
            }
        }
    }
}
