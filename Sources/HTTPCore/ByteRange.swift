/// A piece of a message head, as offsets into the bytes it was parsed from.
///
/// A range stays valid as long as those bytes keep their order and offsets; moving the buffer does not harm it.
package struct ByteRange: Sendable, Hashable {
    /// Offset of the first byte.
    package var start: UInt32
    /// Offset behind the last byte.
    package var end: UInt32

    /// A range from two offsets; heads are bounded far below 4 GiB, so nothing is cut off.
    @inlinable
    package init(_ start: Int, _ end: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.end = UInt32(truncatingIfNeeded: end)
    }

    /// Number of bytes.
    @inlinable
    package var count: Int { Int(end) &- Int(start) }

    /// Whether the piece holds no byte.
    @inlinable
    package var isEmpty: Bool { start == end }

    /// The offsets as integers.
    @inlinable
    package var bounds: Range<Int> { Int(start)..<Int(end) }

    /// The piece as text; bytes that are not UTF-8 become U+FFFD.
    package func string(in bytes: Span<UInt8>) -> String {
        bytes.extracting(bounds).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the piece, its ASCII letters taken as lower-case, equals `lowercased`.
    @inlinable
    @inline(__always)
    package func matches(_ lowercased: StaticString, in bytes: Span<UInt8>) -> Bool {
        count == lowercased.utf8CodeUnitCount && bytes.matchesLowercased(lowercased, at: Int(start))
    }

    /// Whether the value, a comma-separated list such as Connection's, has the element `lowercased`.
    func listContains(_ lowercased: StaticString, in bytes: Span<UInt8>) -> Bool {
        var elementStart = Int(start)
        while true {
            let comma = bytes.firstIndex(of: 0x2c, from: elementStart, to: Int(end)) ?? Int(end)
            if bytes.trimmed(elementStart, comma).matches(lowercased, in: bytes) { return true }
            if comma == Int(end) { return false }
            elementStart = comma + 1
        }
    }
}

extension Span<UInt8> {
    /// Whether the bytes from `offset` on, lower-cased, are those of `lowercased`.
    ///
    /// Setting bit 5 lower-cases letters. It also maps some control bytes onto `-` and digits, so this is exact only for
    /// bytes that already passed as a token or a field value.
    @inlinable
    @inline(__always)
    func matchesLowercased(_ lowercased: StaticString, at offset: Int) -> Bool {
        let count = lowercased.utf8CodeUnitCount
        guard offset >= 0, offset <= self.count &- count else { return false }
        let wanted = UnsafeRawPointer(lowercased.utf8Start)
        var index = 0
        // Words of eight bytes, then single ones. No read leaves either text: offset and count were checked.
        while index &+ 8 <= count {
            let word = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ index, as: UInt64.self)
            if word | 0x2020_2020_2020_2020 != wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
            index &+= 8
        }
        while index < count {
            if self[unchecked: offset &+ index] | 0x20 != lowercased.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }
}
