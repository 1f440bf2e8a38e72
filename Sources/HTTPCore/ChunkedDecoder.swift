/// Takes the chunked coding off a body (RFC 9112 7.1), as its bytes come, without keeping any of them.
///
/// Stricter than the RFC asks: no white space around sizes and extensions, no bare CR or LF, extensions must follow their
/// grammar. Trailer fields are judged and dropped. One decoder reads one body.
package struct ChunkedDecoder: Sendable {
    /// Where the body stands after some bytes.
    package enum Progress: Sendable, Equatable {
        /// All bytes were used; the body goes on.
        case needMore
        /// The body ended after this many of the bytes; what follows belongs to the next message.
        case complete(consumed: Int)
        /// The receiver returned false; nothing more is decoded.
        case stopped
        /// The body is malformed or beyond a bound. Its message boundary is lost.
        case failed(HTTPParseError)
    }

    /// Bytes of one size line, extensions included, CRLF not.
    package static let sizeLineLimit = 256
    /// Bytes of all extensions of one body.
    package static let extensionLimit = 4 * 1024
    /// Number of trailer fields.
    package static let trailerFieldLimit = 16
    /// Bytes of the trailer section, the empty line at its end included.
    package static let trailerLimit = 4 * 1024

    private enum State: UInt8 {
        case sizeFirst, size
        case extensionNameFirst, extensionName, extensionValueFirst, extensionValue
        case extensionQuoted, extensionEscape, extensionEnd
        case sizeLineFeed, data, dataReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, finalLineFeed
        case ended
    }

    private var state = State.sizeFirst
    /// The size while it is read, then the bytes of the chunk still to come.
    private var remaining = 0
    private var lineLength = 0
    private var extensionLength = 0
    private var trailerLength = 0
    private var trailerFields = 0
    private var trailerName = TrailerName()

    /// A decoder before the first chunk.
    package init() {}

    /// Whether the body's end was seen.
    package var isComplete: Bool { state == .ended }

    /// Decodes `bytes`, which follow those of the call before.
    /// - Parameter body: gets the data in pieces, none empty, each valid during its call only. False stops the decoding.
    @inlinable
    package mutating func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, body: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Progress {
        var index = 0
        while index < bytes.count {
            if let wanted = dataWanted {
                let count = min(wanted, bytes.count - index)
                took(count)
                guard body(UnsafeBufferPointer(rebasing: bytes[index..<index + count])) else { return .stopped }
                index += count
                continue
            }
            do throws(HTTPParseError) {
                index = try readFraming(bytes, from: index)
            } catch {
                return .failed(error)
            }
            if isComplete { return .complete(consumed: index) }
        }
        return .needMore
    }

    /// How many bytes of data come next; nil between chunks.
    @usableFromInline
    package var dataWanted: Int? { state == .data ? remaining : nil }

    /// Counts data bytes that were handed on.
    @usableFromInline
    package mutating func took(_ count: Int) {
        remaining -= count
        if remaining == 0 { state = .dataReturn }
    }

    /// Reads framing bytes up to the next data, the end of the body or the end of `bytes`.
    @usableFromInline
    package mutating func readFraming(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(HTTPParseError) -> Int {
        var index = skipCommonFraming(bytes, from: start)
        while index < bytes.count, state != .data, state != .ended {
            let byte = bytes[index]
            index += 1
            switch state {
            case .sizeFirst, .size: try readSize(byte)
            case .extensionNameFirst, .extensionName, .extensionValueFirst, .extensionValue, .extensionQuoted,
                .extensionEscape, .extensionEnd:
                try readExtension(byte)
            case .sizeLineFeed:
                guard byte == .lineFeed else { throw .bareLineEnd }
                lineLength = 0
                state = remaining > 0 ? .data : .trailerStart
            case .dataReturn:
                guard byte == .carriageReturn else { throw .chunkDataUnterminated }
                state = .dataLineFeed
            case .dataLineFeed:
                guard byte == .lineFeed else { throw .chunkDataUnterminated }
                state = .sizeFirst
            case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .finalLineFeed:
                try readTrailer(byte)
            case .data, .ended: break
            }
        }
        return index
    }

    /// Takes what nearly all framing is, the line end after a chunk and a short size line without extensions, in one look;
    /// whatever else there is, or is not there yet, is left to the byte by byte reading.
    @inline(__always)
    private mutating func skipCommonFraming(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return start }
        let count = bytes.count
        var index = start
        if state == .dataReturn, count - index >= 2, base[index] == .carriageReturn, base[index + 1] == .lineFeed {
            state = .sizeFirst
            index += 2
        }
        // The most common case of all: the read ends with its chunk.
        guard state == .sizeFirst, index < count else { return index }
        var size = 0
        var end = index
        // Seven digits cannot overflow, nor exceed the line's bound.
        let limit = min(count, index + 7)
        while end < limit {
            let byte = base[end]
            var digit = Int(byte &- 0x30)
            if digit > 9 {
                digit = Int((byte | 0x20) &- 0x57)
                if digit < 10 || digit > 15 { break }
            }
            size = size << 4 | digit
            end += 1
        }
        guard size > 0, count - end >= 2, base[end] == .carriageReturn, base[end + 1] == .lineFeed else { return index }
        remaining = size
        state = .data
        return end + 2
    }

    private mutating func readSize(_ byte: UInt8) throws(HTTPParseError) {
        if let digit = byte.hexDigitValue {
            try countSizeLine()
            guard remaining <= Int.max >> 4 else { throw .chunkSizeInvalid }
            remaining = remaining << 4 | Int(digit)
            state = .size
            return
        }
        guard state == .size else { throw .chunkSizeInvalid }
        switch byte {
        case .carriageReturn: state = .sizeLineFeed
        case 0x3b:
            try countExtension()
            state = .extensionNameFirst
        case .lineFeed: throw .bareLineEnd
        default: throw .chunkSizeInvalid
        }
    }

    /// `;name`, `;name=token` or `;name="quoted"`, as often as it likes (RFC 9112 7.1.1).
    private mutating func readExtension(_ byte: UInt8) throws(HTTPParseError) {
        let mayEnd = state == .extensionName || state == .extensionValue || state == .extensionEnd
        if byte == .carriageReturn, mayEnd {
            state = .sizeLineFeed
            return
        }
        try countExtension()
        let isToken = ByteSet.token.contains(byte)
        switch (state, byte) {
        case (.extensionName, 0x3b), (.extensionValue, 0x3b), (.extensionEnd, 0x3b): state = .extensionNameFirst
        case (.extensionName, 0x3d): state = .extensionValueFirst
        case (.extensionNameFirst, _) where isToken, (.extensionName, _) where isToken: state = .extensionName
        case (.extensionValueFirst, 0x22): state = .extensionQuoted
        case (.extensionValueFirst, _) where isToken, (.extensionValue, _) where isToken: state = .extensionValue
        case (.extensionQuoted, 0x22): state = .extensionEnd
        case (.extensionQuoted, 0x5c): state = .extensionEscape
        case (.extensionQuoted, _) where byte.isFieldContent: break
        case (.extensionEscape, _) where byte.isFieldContent: state = .extensionQuoted
        default: throw byte == .lineFeed || byte == .carriageReturn ? .bareLineEnd : .chunkExtensionInvalid
        }
    }

    private mutating func readTrailer(_ byte: UInt8) throws(HTTPParseError) {
        trailerLength += 1
        guard trailerLength <= Self.trailerLimit else { throw .trailersTooLarge }
        switch state {
        case .trailerStart where byte == .carriageReturn:
            state = .finalLineFeed
        case .trailerStart:
            guard byte != .space, byte != .tab else { throw .obsoleteLineFolding }
            guard ByteSet.token.contains(byte) else { throw byte == .lineFeed ? .bareLineEnd : .invalidFieldName }
            trailerFields += 1
            guard trailerFields <= Self.trailerFieldLimit else { throw .trailersTooLarge }
            trailerName = TrailerName()
            trailerName.add(byte)
            state = .trailerName
        case .trailerName where byte == 0x3a:
            guard !trailerName.isForbidden else { throw .trailerForbidden }
            state = .trailerValue
        case .trailerName:
            guard ByteSet.token.contains(byte) else { throw .invalidFieldName }
            trailerName.add(byte)
        case .trailerValue where byte == .carriageReturn:
            state = .trailerLineFeed
        case .trailerValue:
            guard byte.isFieldContent else { throw byte == .lineFeed ? .bareLineEnd : .invalidFieldValue }
        default:
            guard byte == .lineFeed else { throw .bareLineEnd }
            state = state == .finalLineFeed ? .ended : .trailerStart
        }
    }

    private mutating func countSizeLine() throws(HTTPParseError) {
        lineLength += 1
        guard lineLength <= Self.sizeLineLimit else { throw .chunkLineTooLong }
    }

    private mutating func countExtension() throws(HTTPParseError) {
        try countSizeLine()
        extensionLength += 1
        guard extensionLength <= Self.extensionLimit else { throw .chunkExtensionsTooLong }
    }
}

/// Compares a trailer field's name, byte by byte as it comes, with those that must not be trailers (RFC 9110 6.5.1).
/// Those that frame or route a message are refused; all others are dropped, so they cannot do harm.
private struct TrailerName: Sendable {
    private static let forbidden: [StaticString] = ["content-length", "transfer-encoding", "host", "connection"]

    /// Bit n: the bytes so far begin the n-th forbidden name.
    private var candidates = ~UInt8(0)
    private var length = 0

    mutating func add(_ byte: UInt8) {
        for (index, name) in Self.forbidden.enumerated() {
            let isSame = length < name.utf8CodeUnitCount && name.utf8Start[length] == byte | 0x20
            if !isSame { candidates &= ~(1 << UInt8(index)) }
        }
        length += 1
    }

    var isForbidden: Bool {
        for (index, name) in Self.forbidden.enumerated()
        where candidates & (1 << UInt8(index)) != 0 && name.utf8CodeUnitCount == length { return true }
        return false
    }
}
