/// How a request's body is delimited (RFC 9112 section 6).
package enum BodyFraming: Sendable, Equatable {
    /// There is no body.
    case none
    /// Exactly this many bytes, possibly zero.
    case length(Int)
    /// The chunked coding.
    case chunked
}

/// Collects the fields that decide framing; refuses everything two readers could understand differently.
struct FramingFields {
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private var hasTransferEncoding = false

    /// A Content-Length line.
    mutating func addContentLength(_ value: ByteRange, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        guard contentLength == nil else { throw .contentLengthRepeated }
        guard !hasTransferEncoding else { throw .conflictingFraming }
        guard !value.isEmpty else { throw .contentLengthInvalid }
        var length = 0
        for index in value.bounds {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { throw .contentLengthInvalid }
            let (tenfold, overflowed) = length.multipliedReportingOverflow(by: 10)
            let (sum, overflowedAgain) = tenfold.addingReportingOverflow(Int(digit))
            guard !overflowed, !overflowedAgain else { throw .contentLengthInvalid }
            length = sum
        }
        contentLength = length
    }

    /// A Transfer-Encoding line: only `chunked` alone, and only since HTTP/1.1.
    mutating func addTransferEncoding(
        _ value: ByteRange, _ bytes: Span<UInt8>, _ version: HTTPVersion
    ) throws(HTTPParseError) {
        guard !hasTransferEncoding else { throw .transferEncodingRepeated }
        guard contentLength == nil else { throw .conflictingFraming }
        guard version == .http11, !value.isEmpty else { throw .transferEncodingInvalid }
        guard value.matches("chunked", in: bytes) else { throw .transferCodingUnsupported }
        hasTransferEncoding = true
        isChunked = true
    }

    /// The framing as a request's fields state it.
    var framing: BodyFraming {
        if isChunked { return .chunked }
        return contentLength.map { .length($0) } ?? .none
    }
}

/// The minor versions of HTTP/1 that are spoken here.
package enum HTTPVersion: UInt8, Sendable, Equatable {
    case http10
    case http11
}
