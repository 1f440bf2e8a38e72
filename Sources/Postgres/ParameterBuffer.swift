import Glibc
import PlaygroundCore

/// The values of one call as libpq takes them: pointers to NUL-terminated texts, or to bytes with a length.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    /// Where each value begins in `bytes`, -1 for NULL.
    private var offsets: [Int] = []
    private var lengths: [Int32] = []
    /// 0 text, 1 binary.
    private var formats: [Int32] = []

    /// libpq counts parameters in 16 bits.
    static let maximumCount = 65_535

    init(_ values: [PostgresValue]) throws(PostgresError) {
        guard values.count <= Self.maximumCount else { throw .invalidValue("more than \(Self.maximumCount) values") }
        offsets.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        formats.reserveCapacity(values.count)
        for value in values { try append(value) }
    }

    private mutating func append(_ value: PostgresValue) throws(PostgresError) {
        if case .null = value {
            offsets.append(-1)
            lengths.append(0)
            formats.append(0)
            return
        }
        let start = bytes.count
        var isBinary = false
        switch value {
        case .null: break
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .int(let integer): bytes.append(contentsOf: integer.description.utf8)
        case .double(let double): bytes.append(contentsOf: Self.text(double).utf8)
        case .bool(let bool): bytes.append(bool ? UInt8(ascii: "t") : UInt8(ascii: "f"))
        case .uuid(let uuid): bytes.append(contentsOf: uuid.description.utf8)
        case .bytes(let raw):
            bytes.append(contentsOf: raw)
            isBinary = true
        case .textArray(let texts): appendArray(texts)
        case .intArray(let integers): appendArray(integers.map(\.description))
        case .uuidArray(let uuids): appendArray(uuids.map(\.description))
        }
        // A C string would end there, and the rest be lost without a word.
        if !isBinary, containsZero(from: start) { throw .invalidValue("text with U+0000") }
        offsets.append(start)
        lengths.append(Int32(clamping: bytes.count - start))
        formats.append(isBinary ? 1 : 0)
        bytes.append(0)
    }

    private func containsZero(from start: Int) -> Bool {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count > start else { return false }
            return memchr(base + start, 0, bytes.count - start) != nil
        }
    }

    /// {"a","b"}: every element quoted, with a backslash before quotes and backslashes (manual 8.15.6).
    private mutating func appendArray(_ elements: [String]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            for byte in element.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
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
