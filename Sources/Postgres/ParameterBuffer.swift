/// The values of one call as libpq takes them: pointers to NUL-terminated texts, or to bytes with a length.
///
/// UUIDs and arrays go in PostgreSQL's binary form, which is shorter, needs no quotes, and cannot be taken for another type;
/// numbers in digits, which suit whatever width the statement gives them.
struct ParameterBuffer {
    private let bytes: [UInt8]
    /// Where each value begins in `bytes`, -1 for NULL.
    private let offsets: [Int]
    private let lengths: [Int32]
    private let formats: [Int32]

    /// libpq counts parameters in 16 bits.
    static let maximumCount = 65_535

    init(_ values: [PostgresValue]) throws(PostgresError) {
        guard values.count <= Self.maximumCount else { throw .invalidValue("more than \(Self.maximumCount) values") }
        var offsets: [Int] = []
        var lengths: [Int32] = []
        var formats: [Int32] = []
        offsets.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        formats.reserveCapacity(values.count)
        var isStorable = true
        let room = values.reduce(0) { $0 + ParameterWriter.room(for: $1) }
        bytes = [UInt8](unsafeUninitializedCapacity: room) { memory, count in
            var writer = ParameterWriter(UnsafeMutableRawBufferPointer(memory))
            for value in values {
                let start = writer.count
                formats.append(writer.write(value).rawValue)
                if case .null = value { offsets.append(-1) } else { offsets.append(start) }
                lengths.append(Int32(clamping: writer.count - start - 1))
            }
            count = writer.count
            isStorable = writer.isStorable
        }
        (self.offsets, self.lengths, self.formats) = (offsets, lengths, formats)
        guard isStorable else { throw .invalidValue("text with U+0000") }
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
