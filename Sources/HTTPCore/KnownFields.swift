/// What the parser itself must know of a request's fields. Each line is recognised by its length first, then its letters.
struct KnownFields {
    let version: HTTPVersion
    private(set) var framing = FramingFields()
    private(set) var host: ByteRange?
    private(set) var closes = false
    private(set) var expectsContinue = false
    private var hasContentType = false

    init(version: HTTPVersion = .http11) { self.version = version }

    /// Takes note of one line. Length and first letter rule most lines out before anything is called.
    @inline(__always)
    mutating func add(_ field: Field, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        let initial = bytes[Int(field.name.start)] | 0x20
        switch field.name.count {
        case 4, 6, 10, 12, 14, 17:
            if initial == 0x63 || initial == 0x65 || initial == 0x68 || initial == 0x74 { try recognise(field, bytes) }
        default: break
        }
    }

    private mutating func recognise(_ field: Field, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        switch field.name.count {
        case 4:
            if field.name.matches("host", in: bytes) { try addHost(field.value, bytes) }
        case 6:
            if field.name.matches("expect", in: bytes) { try addExpectation(field.value, bytes) }
        case 10:
            if field.name.matches("connection", in: bytes) { addConnection(field.value, bytes) }
        case 12:
            if field.name.matches("content-type", in: bytes) {
                guard !hasContentType else { throw .contentTypeRepeated }
                hasContentType = true
            }
        case 14:
            if field.name.matches("content-length", in: bytes) { try framing.addContentLength(field.value, bytes) }
        default:
            if field.name.matches("transfer-encoding", in: bytes) {
                try framing.addTransferEncoding(field.value, bytes, version)
            }
        }
    }

    private mutating func addHost(_ value: ByteRange, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        guard host == nil else { throw .hostRepeated }
        guard Authority.isValid(value, in: bytes) else { throw .hostInvalid }
        host = value
    }

    /// A 1.0 client's expectation is ignored (RFC 9110 10.1.1).
    private mutating func addExpectation(_ value: ByteRange, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        guard version == .http11 else { return }
        guard value.matches("100-continue", in: bytes) else { throw .unknownExpectation }
        expectsContinue = true
    }

    private mutating func addConnection(_ value: ByteRange, _ bytes: Span<UInt8>) {
        if value.matches("keep-alive", in: bytes) { return }
        if value.listContains("close", in: bytes) { closes = true }
    }
}
