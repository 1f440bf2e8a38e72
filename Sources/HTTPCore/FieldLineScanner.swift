/// Reads the field lines of one head, line by line, and can stop at any byte and go on there when more have come.
///
/// Judged per byte as it appears: a bad byte in an unfinished line fails at once.
struct FieldLineScanner {
    enum Step {
        /// One whole line.
        case field(Field)
        /// The empty line; the head ends at this offset.
        case end(Int)
        /// Every byte so far is good.
        case needMore
    }

    private enum Phase: UInt8 { case lineStart, name, value }

    private var phase = Phase.lineStart
    /// First byte not judged yet.
    private var position: Int
    private var elementStart = 0
    private var name = ByteRange(0, 0)

    /// A scanner whose first line begins at `start`.
    init(start: Int) { position = start }

    /// The next line of `bytes`, which hold the head from its first byte on. No byte at or behind `limit` is taken.
    @inline(__always)
    mutating func next(_ bytes: Span<UInt8>, limit: Int) throws(HTTPParseError) -> Step {
        let end = min(bytes.count, limit)
        var index = position
        if phase == .lineStart {
            guard index < end else { return try pause(.lineStart, index, limit) }
            if bytes[unchecked: index] == .carriageReturn {
                guard index + 1 < end else { return try pause(.lineStart, index, limit, missing: 1) }
                guard bytes[unchecked: index + 1] == .lineFeed else { throw .bareLineEnd }
                position = index + 2
                return .end(index + 2)
            }
            elementStart = index
            phase = .name
        }
        if phase == .name {
            index = bytes.indexOfNonToken(from: index, to: end)
            guard index < end else { return try pause(.name, index, limit) }
            guard bytes[unchecked: index] == 0x3a, index > elementStart else {
                throw Self.fault(bytes[unchecked: index], atLineStart: index == elementStart)
            }
            name = ByteRange(elementStart, index)
            index &+= 1
            elementStart = index
        }
        index = bytes.indexOfControl(from: index, to: end)
        while index < end, bytes[unchecked: index] == .tab { index = bytes.indexOfControl(from: index + 1, to: end) }
        guard index < end else { return try pause(.value, index, limit) }
        guard bytes[unchecked: index] == .carriageReturn else {
            throw bytes[unchecked: index] == .lineFeed ? .bareLineEnd : .invalidFieldValue
        }
        guard index + 1 < end else { return try pause(.value, index, limit, missing: 1) }
        guard bytes[unchecked: index + 1] == .lineFeed else { throw .bareLineEnd }
        phase = .lineStart
        position = index + 2
        return .field(Field(name: name, value: bytes.trimmed(elementStart, index)))
    }

    /// Stops at `index`, or fails where the limit leaves no room for what must still come.
    private mutating func pause(
        _ phase: Phase, _ index: Int, _ limit: Int, missing: Int = 0
    ) throws(HTTPParseError) -> Step {
        guard index + missing < limit else { throw .headerSectionTooLarge }
        self.phase = phase
        position = index
        return .needMore
    }

    private static func fault(_ byte: UInt8, atLineStart: Bool) -> HTTPParseError {
        switch byte {
        case .space, .tab: atLineStart ? .obsoleteLineFolding : .invalidFieldName
        case .lineFeed, .carriageReturn: .bareLineEnd
        default: .invalidFieldName
        }
    }
}

extension Span<UInt8> {
    /// The first control byte (below SP, or DEL) from `start` on; `end` where there is none. Eight bytes at a time.
    @inline(__always)
    func indexOfControl(from start: Int, to end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = start
        while index &+ 8 <= end {
            let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
            // A borrow can mark a byte wrongly only above one that is marked rightly, so the lowest mark is exact.
            let delete = word ^ (ones &* 0x7f)
            let marks = (((word &- ones &* 0x20) & ~word) | ((delete &- ones) & ~delete)) & (ones &* 0x80)
            if marks != 0 { return index &+ marks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < end, self[unchecked: index] >= 0x20, self[unchecked: index] != 0x7f { index &+= 1 }
        return index
    }

    /// The first byte from `start` on that no token holds; `end` where there is none. Eight bytes at a time while they are
    /// letters and hyphens, which is what names are made of.
    @inline(__always)
    func indexOfNonToken(from start: Int, to end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low7 = ones &* 0x7f
        var index = start
        while true {
            while index &+ 8 <= end {
                let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
                // Sums of two 7-bit numbers cannot carry into the next byte; bytes above 0x7f count as others.
                let lower = (word | (ones &* 0x20)) & low7
                let letter = (lower &+ (ones &* 0x1f)) & ~(lower &+ (ones &* 0x05))
                let notHyphen = ((word ^ (ones &* 0x2d)) & low7) &+ low7
                let others = ((~letter & notHyphen) | word) & ~low7
                index &+= others == 0 ? 8 : others.trailingZeroBitCount &>> 3
                if others != 0 { break }
            }
            guard index < end, ByteSet.token.contains(self[unchecked: index]) else { return index }
            index &+= 1
        }
    }

    /// The range without optional white space at either end. The bytes are those of a field value, judged before.
    @inline(__always)
    func trimmed(_ start: Int, _ end: Int) -> ByteRange {
        var start = start
        var end = end
        // Bytes that passed as a value: the only ones up to SP are SP and HTAB.
        while start < end, self[unchecked: start] <= .space { start &+= 1 }
        while end > start, self[unchecked: end &- 1] <= .space { end &-= 1 }
        return ByteRange(start, end)
    }
}
