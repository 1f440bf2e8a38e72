package import HTTPTypes

/// Why bytes are not an HTTP/1.1 message that we accept.
///
/// After any of these the boundaries of what follows are unknown: the connection answers once and closes.
package enum HTTPParseError: Error, Equatable, CaseIterable {
    case invalidRequestLine
    case invalidTarget
    case methodRefused
    case unsupportedVersion
    case requestLineTooLong
    case headerSectionTooLarge
    case tooManyFields
    case bareLineEnd
    case obsoleteLineFolding
    case invalidFieldName
    case invalidFieldValue
    case hostMissing
    case hostRepeated
    case hostInvalid
    case contentTypeRepeated
    case contentLengthInvalid
    case contentLengthRepeated
    case transferEncodingInvalid
    case transferEncodingRepeated
    case transferCodingUnsupported
    case conflictingFraming
    case unknownExpectation
    case chunkSizeInvalid
    case chunkExtensionInvalid
    case chunkLineTooLong
    case chunkExtensionsTooLong
    case chunkDataUnterminated
    case trailerForbidden
    case trailersTooLarge
    case invalidStatusLine
    case truncated
}

extension HTTPParseError {
    /// The status that answers such a request. A 405 still needs its Allow field. For a response that we received
    /// ourselves the status has no meaning: the caller reports an upstream error.
    package var status: HTTPResponse.Status {
        switch self {
        case .methodRefused: .methodNotAllowed
        case .unsupportedVersion: .httpVersionNotSupported
        case .requestLineTooLong: .uriTooLong
        case .headerSectionTooLarge, .tooManyFields, .trailersTooLarge: .requestHeaderFieldsTooLarge
        case .transferCodingUnsupported: .notImplemented
        case .unknownExpectation: .expectationFailed
        case .invalidStatusLine: .badGateway
        default: .badRequest
        }
    }

    /// The public error code.
    package var code: String {
        switch self {
        case .methodRefused: "method_not_allowed"
        case .unsupportedVersion: "unsupported_http_version"
        case .requestLineTooLong: "uri_too_long"
        case .headerSectionTooLarge, .tooManyFields, .trailersTooLarge: "header_too_large"
        case .transferCodingUnsupported: "unsupported_transfer_coding"
        case .unknownExpectation: "expectation_failed"
        case .invalidStatusLine: "upstream_error"
        default: "malformed_request"
        }
    }

    /// One sentence for the client. It never quotes what was sent.
    package var detail: String {
        switch self {
        case .invalidRequestLine: "The request line is not `METHOD SP target SP HTTP/1.1`."
        case .invalidTarget: "The request target is not a valid path, absolute URI, or `*` with OPTIONS."
        case .methodRefused: "This server does not serve CONNECT or TRACE."
        case .unsupportedVersion: "Only HTTP/1.0 and HTTP/1.1 are spoken here."
        case .requestLineTooLong: "The request line is longer than 8 KiB."
        case .headerSectionTooLarge: "The header section is larger than this server accepts."
        case .tooManyFields: "The message has more header fields than this server accepts."
        case .bareLineEnd: "A line must end with CRLF; CR or LF alone is not accepted."
        case .obsoleteLineFolding: "A header line must not begin with white space."
        case .invalidFieldName: "A header field name must be a token directly followed by a colon."
        case .invalidFieldValue: "A header field value holds a control character."
        case .hostMissing: "The Host header field is missing."
        case .hostRepeated: "The Host header field occurs more than once."
        case .hostInvalid: "The Host header field or the target's authority is not a valid host and port."
        case .contentTypeRepeated: "The Content-Type header field occurs more than once."
        case .contentLengthInvalid: "Content-Length must be one decimal number below 2^63."
        case .contentLengthRepeated: "The Content-Length header field occurs more than once."
        case .transferEncodingInvalid: "Transfer-Encoding must not be empty, nor used with HTTP/1.0."
        case .transferEncodingRepeated: "The Transfer-Encoding header field occurs more than once."
        case .transferCodingUnsupported: "Only the transfer coding `chunked`, applied once, is supported."
        case .conflictingFraming: "Content-Length and Transfer-Encoding must not be used together."
        case .unknownExpectation: "The only expectation supported is `100-continue`."
        case .chunkSizeInvalid: "A chunk size is not a hexadecimal number below 2^63 ended by CRLF."
        case .chunkExtensionInvalid: "A chunk extension is malformed."
        case .chunkLineTooLong: "A chunk size line is longer than 256 bytes."
        case .chunkExtensionsTooLong: "The chunk extensions of this body are longer than 4 KiB."
        case .chunkDataUnterminated: "A chunk is not followed by CRLF."
        case .trailerForbidden: "A trailer field must not define framing or routing."
        case .trailersTooLarge: "The trailer section is larger than 16 fields or 4 KiB."
        case .invalidStatusLine: "The status line is not `HTTP/1.1 SP code SP reason`."
        case .truncated: "The message ended before it was complete."
        }
    }
}
