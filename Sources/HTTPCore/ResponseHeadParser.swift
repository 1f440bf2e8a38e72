/// A resumable parser of response heads, for our own client. As strict as for requests, but that the reason phrase and
/// the space before it may be missing, which cannot move a message's boundary.
package struct ResponseHeadParser: Sendable {
    /// Bytes of one head, from the status line to the empty line.
    package static let headLimit = 16 * 1024
    /// Number of field lines.
    package static let fieldLimit = 100

    private let isAnswerToHead: Bool
    /// Nil until the status line is complete.
    private var lines: FieldLineScanner?
    /// First byte of the reason phrase not judged yet; 0 before the phrase.
    private var position = 0
    private var status = 0
    private var version = HTTPVersion.http11
    private var fields = FieldList()
    private var framing = FramingFields()
    private var closes = false

    /// A parser for one head. `isAnswerToHead`: the request's method was HEAD, so no body follows.
    package init(isAnswerToHead: Bool = false) { self.isAnswerToHead = isAnswerToHead }

    /// Goes on with `bytes`, all that was received since the head's start.
    ///
    /// After a 1xx other than 101 the caller drops the head's bytes and parses on with a new parser.
    /// - Returns: the head, or nil where more bytes are needed.
    package mutating func parse(_ bytes: Span<UInt8>) throws(HTTPParseError) -> ResponseHead? {
        if lines == nil {
            guard let end = try parseStatusLine(bytes) else { return nil }
            lines = FieldLineScanner(start: end)
            // As many as most heads have: growing to them took four arrays.
            fields.lines.reserveCapacity(16)
        }
        while true {
            // Never nil here: set above. A nil would end as a head that is never complete, which the bound cuts off.
            guard let step = try lines?.next(bytes, limit: Self.headLimit) else { return nil }
            switch step {
            case .needMore:
                return nil
            case .end(let offset):
                return head(length: offset)
            case .field(let field):
                guard fields.lines.count < Self.fieldLimit else { throw .tooManyFields }
                fields.lines.append(field)
                try note(field, bytes)
            }
        }
    }

    /// The offset behind the status line; nil where more bytes are needed.
    private mutating func parseStatusLine(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Int? {
        if position == 0 {
            // A digit stands for any digit.
            let pattern: StaticString = "HTTP/1.9 999"
            for index in 0..<min(bytes.count, 12) {
                let wanted = pattern.utf8Start[index]
                guard wanted == 0x39 ? bytes[index] &- 0x30 < 10 : bytes[index] == wanted else { throw .invalidStatusLine }
            }
            guard bytes.count > 12 else { return nil }
            guard bytes[7] <= 0x31 else { throw .unsupportedVersion }
            version = bytes[7] == 0x31 ? .http11 : .http10
            status = Int(bytes[9] - 0x30) * 100 + Int(bytes[10] - 0x30) * 10 + Int(bytes[11] - 0x30)
            guard 100...599 ~= status, bytes[12] == .space || bytes[12] == .carriageReturn else { throw .invalidStatusLine }
            position = 12
        }
        let end = min(bytes.count, Self.headLimit)
        while position < end, bytes[position].isFieldContent { position += 1 }
        guard position + 1 < Self.headLimit else { throw .headerSectionTooLarge }
        guard position < end else { return nil }
        guard bytes[position] == .carriageReturn else {
            throw bytes[position] == .lineFeed ? .bareLineEnd : .invalidStatusLine
        }
        guard position + 1 < end else { return nil }
        guard bytes[position + 1] == .lineFeed else { throw .bareLineEnd }
        return position + 2
    }

    private mutating func note(_ field: Field, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        if field.name.matches("content-length", in: bytes) {
            try framing.addContentLength(field.value, bytes)
        } else if field.name.matches("transfer-encoding", in: bytes) {
            try framing.addTransferEncoding(field.value, bytes, version)
        } else if field.name.matches("connection", in: bytes) {
            if field.value.listContains("close", in: bytes) { closes = true }
        }
    }

    private func head(length: Int) -> ResponseHead {
        let body: ResponseHead.Framing
        if isAnswerToHead || status < 200 || status == 204 || status == 304 {
            body = .none
        } else if framing.isChunked {
            body = .chunked
        } else if let length = framing.contentLength {
            body = .length(length)
        } else {
            body = .untilClose
        }
        return ResponseHead(
            status: status, version: version, fields: fields, framing: body,
            keepAlive: version == .http11 && !closes && body != .untilClose, length: length)
    }
}
