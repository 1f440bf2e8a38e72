import HTTPTypes

/// A strict, resumable parser of HTTP/1.1 request heads (RFC 9112).
///
/// It is fed all bytes buffered since the request's start, as often as more have come, and goes on where it stopped; no
/// byte is judged twice but those of an unfinished element of a few bytes. The verdict does not depend on how the bytes
/// were cut, and a bad byte fails as soon as it is there. One parser serves a connection; `reset()` between requests.
package struct RequestParser: Sendable {
    private enum Phase: UInt8 { case emptyLines, method, target, version, fields }

    /// RFC 9112 2.2 asks to ignore at least one empty line. Two, because there are clients that end a body with CRLF CRLF.
    private static var emptyLinesIgnored: Int { 2 }

    private let limits: ParserLimits
    private var phase = Phase.emptyLines
    private var emptyLines: UInt8 = 0
    /// First byte of the request line not judged yet.
    private var position = 0
    /// First byte of the element at `position`.
    private var elementStart = 0
    /// The request line must end at or before this offset.
    private var lineLimit = 0
    private var method = HTTPRequest.Method.get
    private var targetMark = TargetMark()
    private var target = RequestTarget(form: .origin, whole: ByteRange(0, 0), path: ByteRange(0, 0))
    private var lines = FieldLineScanner(start: 0)
    private var sectionLimit = 0
    private var known = KnownFields()
    private var fields = FieldList()

    /// A parser for the first request of a connection.
    package init(limits: ParserLimits = ParserLimits()) { self.limits = limits }

    /// Forgets the request; the room for fields is kept where no head shares it any more.
    package mutating func reset() {
        phase = .emptyLines
        emptyLines = 0
        position = 0
        fields.lines.removeAll(keepingCapacity: true)
    }

    /// Whether bytes of a request were seen: at the end of input this tells an aborted request from a clean close.
    package var isMidRequest: Bool { phase != .emptyLines }

    /// Goes on with `bytes`, all that was received since the request's start.
    /// - Returns: the head, or nil where more bytes are needed.
    /// - Throws: what the connection answers before it closes. The parser is of no use then until `reset()`.
    package mutating func parse(_ bytes: Span<UInt8>) throws(HTTPParseError) -> RequestHead? {
        if phase != .fields {
            guard try parseRequestLine(bytes) else { return nil }
        }
        // Copies, so that the loop runs in registers. Nothing is lost where it throws: the parser is of no use then.
        var lines = lines
        var known = known
        while true {
            switch try lines.next(bytes, limit: sectionLimit) {
            case .needMore:
                self.lines = lines
                self.known = known
                return nil
            case .end(let offset):
                return try head(known, length: offset)
            case .field(let field):
                guard fields.lines.count < limits.fieldCount else { throw .tooManyFields }
                fields.lines.append(field)
                try known.add(field, bytes)
            }
        }
    }

    /// Whether the request line is complete.
    @inline(never)
    private mutating func parseRequestLine(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        if phase == .emptyLines {
            guard try skipEmptyLines(bytes) else { return false }
        }
        if phase == .method {
            guard try parseMethod(bytes) else { return false }
        }
        if phase == .target {
            guard try parseTarget(bytes) else { return false }
        }
        return try parseVersion(bytes)
    }

    @inline(__always)
    private mutating func skipEmptyLines(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        while position < bytes.count {
            guard bytes[position] == .carriageReturn, emptyLines < Self.emptyLinesIgnored else {
                elementStart = position
                lineLimit = position + limits.requestLine
                phase = .method
                return true
            }
            guard position + 1 < bytes.count else { return false }
            guard bytes[position + 1] == .lineFeed else { throw .bareLineEnd }
            position += 2
            emptyLines += 1
        }
        return false
    }

    @inline(__always)
    private mutating func parseMethod(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        let end = min(bytes.count, lineLimit)
        var index = position
        if let (common, length) = bytes.commonMethod(at: elementStart, to: end) {
            method = common
            index = elementStart + length
        } else {
            while index < end, ByteSet.token.contains(bytes[unchecked: index]) { index &+= 1 }
            guard index < end else { return try pause(index) }
            guard bytes[index] == .space, index > elementStart else { throw .invalidRequestLine }
            method = try Self.method(ByteRange(elementStart, index), bytes)
        }
        position = index + 1
        elementStart = position
        targetMark = TargetMark()
        phase = .target
        return true
    }

    private mutating func parseTarget(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        let end = min(bytes.count, lineLimit)
        var index = position
        while true {
            while index < end, ByteSet.plainTarget.contains(bytes[unchecked: index]) { index &+= 1 }
            guard index < end else { return try pause(index) }
            switch bytes[index] {
            case .space:
                target = try targetMark.target(ByteRange(elementStart, index), method, bytes)
                position = index + 1
                elementStart = position
                phase = .version
                return true
            case 0x3f:
                if targetMark.question == nil { targetMark.question = index }
            case 0x5b, 0x5d:
                targetMark.hasBracket = true
            case 0x25:
                guard index + 2 < end else { return try pause(index, missing: 2) }
                guard let byte = PercentEncoding.decodedByte(at: index, before: end, bytes), byte != 0 else {
                    throw .invalidTarget
                }
            case .lineFeed, .carriageReturn:
                throw .invalidRequestLine
            default:
                throw .invalidTarget
            }
            index &+= 1
        }
    }

    /// `HTTP/1.1` and CRLF, ten bytes that are judged from the first each time.
    private mutating func parseVersion(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        let start = elementStart
        guard start + 8 <= lineLimit else { throw .requestLineTooLong }
        let available = bytes.count - start
        if available < 10 || !bytes.isCommonVersion(at: start) {
            guard try judgeVersion(bytes, start, available) else { return false }
        }
        known = KnownFields(version: bytes[start + 7] == 0x31 ? .http11 : .http10)
        lines = FieldLineScanner(start: start + 10)
        sectionLimit = start + 10 + limits.headerSection
        phase = .fields
        return true
    }

    /// Byte by byte; false where some are still to come.
    private func judgeVersion(_ bytes: Span<UInt8>, _ start: Int, _ available: Int) throws(HTTPParseError) -> Bool {
        let name: StaticString = "HTTP/"
        for index in 0..<min(available, 5) where bytes[start + index] != name.utf8Start[index] { throw .invalidRequestLine }
        if available > 5, !(bytes[start + 5] &- 0x30 < 10) { throw .invalidRequestLine }
        if available > 6, bytes[start + 6] != 0x2e { throw .invalidRequestLine }
        if available > 7 {
            guard bytes[start + 7] &- 0x30 < 10 else { throw .invalidRequestLine }
            guard bytes[start + 5] == 0x31, bytes[start + 7] <= 0x31 else { throw .unsupportedVersion }
        }
        if available > 8, bytes[start + 8] != .carriageReturn {
            throw bytes[start + 8] == .lineFeed ? .bareLineEnd : .invalidRequestLine
        }
        guard available > 9 else { return false }
        guard bytes[start + 9] == .lineFeed else { throw .bareLineEnd }
        return true
    }

    /// Stops at `index`, or fails where the line's limit leaves no room for what must still come.
    private mutating func pause(_ index: Int, missing: Int = 0) throws(HTTPParseError) -> Bool {
        guard index + missing < lineLimit else { throw .requestLineTooLong }
        position = index
        return false
    }

    private func head(_ known: KnownFields, length: Int) throws(HTTPParseError) -> RequestHead {
        let framing = known.framing.framing
        if known.host == nil, known.version == .http11 { throw .hostMissing }
        return RequestHead(
            method: method, target: target, version: known.version, fields: fields, host: known.host, framing: framing,
            keepAlive: known.version == .http11 && !known.closes,
            expectsContinue: known.expectsContinue && framing != .none && framing != .length(0),
            length: length)
    }

    private static func method(_ range: ByteRange, _ bytes: Span<UInt8>) throws(HTTPParseError) -> HTTPRequest.Method {
        switch range.count {
        case 3 where isExactly("GET", range, bytes): return .get
        case 3 where isExactly("PUT", range, bytes): return .put
        case 4 where isExactly("POST", range, bytes): return .post
        case 4 where isExactly("HEAD", range, bytes): return .head
        case 5 where isExactly("PATCH", range, bytes): return .patch
        case 6 where isExactly("DELETE", range, bytes): return .delete
        case 7 where isExactly("OPTIONS", range, bytes): return .options
        case 5 where isExactly("TRACE", range, bytes), 7 where isExactly("CONNECT", range, bytes): throw .methodRefused
        default:
            // Every byte is one of a token, so the initialiser takes it.
            guard let method = HTTPRequest.Method(range.string(in: bytes)) else { throw .invalidRequestLine }
            return method
        }
    }

    /// Methods are case-sensitive.
    @inline(__always)
    private static func isExactly(_ text: StaticString, _ range: ByteRange, _ bytes: Span<UInt8>) -> Bool {
        for index in 0..<text.utf8CodeUnitCount
        where bytes[unchecked: Int(range.start) &+ index] != text.utf8Start[index] { return false }
        return true
    }
}

extension Span<UInt8> {
    /// GET and POST, which nearly every request has, recognised with the space behind them by one read.
    @inline(__always)
    fileprivate func commonMethod(at offset: Int, to end: Int) -> (HTTPRequest.Method, length: Int)? {
        guard offset &+ 8 <= end else { return nil }
        let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
        if word & 0xff_ffff_ffff == 0x20_5453_4f50 { return (.post, 4) }
        if word & 0xffff_ffff == 0x2054_4547 { return (.get, 3) }
        return nil
    }

    /// Whether `HTTP/1.1` and CRLF stand at `offset`, with at least ten bytes there.
    @inline(__always)
    fileprivate func isCommonVersion(at offset: Int) -> Bool {
        // "HTTP/1.1" read as a little-endian number.
        let version = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        return UInt64(littleEndian: version) == 0x312e_312f_5054_5448
            && self[unchecked: offset &+ 8] == .carriageReturn && self[unchecked: offset &+ 9] == .lineFeed
    }
}
