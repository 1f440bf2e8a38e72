import Glibc
import PlaygroundCore

/// Puts the values of one call one behind the other, each with a NUL after it, into memory that has been measured for them: an array
/// that grows with every element costs several times as much.
struct ParameterWriter {
    enum Format: Int32 { case text, binary }

    /// Oids of PostgreSQL's types, as they stand in the head of an array (catalog `pg_type`).
    private enum ElementType: Int32 { case int8 = 20, text = 25, uuid = 2950 }

    private static let arrayHead = 20

    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    /// Whether no text had a NUL. PostgreSQL's hold none: a C string would end there, and the rest be lost without a word.
    private(set) var isStorable = true

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// Bytes that a value takes at most.
    static func room(for value: PostgresValue) -> Int {
        let room =
            switch value {
            case .null, .bool: 1
            // The longest double has 24 digits, signs and points, the longest integer 20.
            case .int, .double: 32
            case .uuid: 16
            case .text(let text): text.utf8.count
            case .bytes(let bytes): bytes.count
            case .textArray(let texts): texts.reduce(arrayHead) { $0 + 4 + $1.utf8.count }
            case .intArray(let integers): arrayHead + 12 * integers.count
            case .uuidArray(let uuids): arrayHead + 20 * uuids.count
            }
        return room + 1
    }

    /// Writes a value and says in which form.
    mutating func write(_ value: PostgresValue) -> Format {
        defer { put(UInt8(0)) }
        switch value {
        case .null: return .text
        case .text(let text): put(text)
        case .int(let integer): put(integer.description)
        case .double(let double): put(Self.text(double))
        case .bool(let bool): put(bool ? UInt8(ascii: "t") : UInt8(ascii: "f"))
        case .uuid(let uuid):
            put(uuid)
            return .binary
        case .bytes(let bytes):
            bytes.withUnsafeBytes { put($0) }
            return .binary
        case .textArray(let texts):
            putHead(of: .text, count: texts.count)
            for text in texts {
                put(Int32(clamping: text.utf8.count))
                put(text)
            }
            return .binary
        case .intArray(let integers):
            putHead(of: .int8, count: integers.count)
            for integer in integers {
                put(Int32(integer == nil ? -1 : 8))
                if let integer { put(integer) }
            }
            return .binary
        case .uuidArray(let uuids):
            putHead(of: .uuid, count: uuids.count)
            for uuid in uuids {
                put(Int32(uuid == nil ? -1 : 16))
                if let uuid { put(uuid) }
            }
            return .binary
        }
        return .text
    }

    /// What stands before the elements of an array of one dimension, whose first index is 1. Whether it has NULLs is a hint that
    /// the server checks for itself.
    private mutating func putHead(of type: ElementType, count: Int) {
        put(Int32(count == 0 ? 0 : 1))
        put(Int32(0))
        put(type.rawValue)
        if count == 0 { return }
        put(Int32(clamping: count))
        put(Int32(1))
    }

    private mutating func put(_ uuid: UUIDBytes) {
        put(uuid.high)
        put(uuid.low)
    }

    /// With the highest byte first.
    private mutating func put<Integer: FixedWidthInteger>(_ integer: Integer) {
        memory.storeBytes(of: integer.bigEndian, toByteOffset: count, as: Integer.self)
        count += MemoryLayout<Integer>.size
    }

    private mutating func put(_ text: String) {
        var text = text
        let start = count
        text.withUTF8 { put(UnsafeRawBufferPointer($0)) }
        if let base = memory.baseAddress, memchr(base + start, 0, count - start) != nil { isStorable = false }
    }

    private mutating func put(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    private static func text(_ double: Double) -> String {
        if double.isNaN { return "NaN" }
        if double.isInfinite { return double < 0 ? "-Infinity" : "Infinity" }
        return double.description
    }
}
