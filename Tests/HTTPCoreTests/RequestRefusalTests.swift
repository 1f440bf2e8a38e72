import HTTPCore
import HTTPTypes
import Testing

@Suite("Requests that are refused")
struct RequestRefusalTests {
    /// A stream that ends with the byte that makes it wrong, so that the refusal also is as early as it can be.
    struct Case: Sendable, CustomTestStringConvertible {
        var stream: String
        var error: HTTPParseError
        init(_ stream: String, _ error: HTTPParseError) {
            self.stream = stream
            self.error = error
        }
        var testDescription: String { stream.debugDescription }
    }

    /// A head up to the line in question.
    static let start = "POST / HTTP/1.1\r\nHost: a\r\n"

    static let requestLines: [Case] = [
        Case(" ", .invalidRequestLine),
        Case("\0", .invalidRequestLine),
        Case("GET\0", .invalidRequestLine),
        Case("GE(", .invalidRequestLine),
        Case("GET\t", .invalidRequestLine),
        Case("GET\u{df}", .invalidRequestLine),
        Case("GET\n", .invalidRequestLine),
        Case("CONNECT ", .methodRefused),
        Case("TRACE ", .methodRefused),
        Case("GET  ", .invalidTarget),
        Case("GET /a b", .invalidRequestLine),
        Case("GET /\n", .invalidRequestLine),
        Case("GET /\r", .invalidRequestLine),
        Case("GET /a\0", .invalidTarget),
        Case("GET /\u{7f}", .invalidTarget),
        Case("GET /\u{e9}", .invalidTarget),
        Case("GET /a#", .invalidTarget),
        Case("GET /a\\", .invalidTarget),
        Case("GET /a\"", .invalidTarget),
        Case("GET /a<", .invalidTarget),
        Case("GET /a^", .invalidTarget),
        Case("GET /a{", .invalidTarget),
        Case("GET /a|", .invalidTarget),
        Case("GET /a[b ", .invalidTarget),
        Case("GET /%4 ", .invalidTarget),
        Case("GET /%zz", .invalidTarget),
        Case("GET /%00", .invalidTarget),
        Case("GET /?q=100%&", .invalidTarget).padded("x"),
        Case("GET * ", .invalidTarget),
        Case("PRI * ", .invalidTarget),
        Case("OPTIONS ** ", .invalidTarget),
        Case("GET a/b ", .invalidTarget),
        Case("GET example.com:443 ", .invalidTarget),
        Case("GET ftp://a/ ", .invalidTarget),
        Case("GET http:/a ", .invalidTarget),
        Case("GET http:// ", .invalidTarget),
        Case("GET http:///a ", .hostInvalid),
        Case("GET http://?a ", .hostInvalid),
        Case("GET http://u:p@a/ ", .hostInvalid),
        Case("GET http://a:99999/ ", .hostInvalid),
        Case("GET http://[::1/ ", .hostInvalid),
        Case("GET http://[::1]/[ ", .invalidTarget),
        Case("GET / h", .invalidRequestLine),
        Case("GET / HTTP/x", .invalidRequestLine),
        Case("GET / HTTP/1/", .invalidRequestLine),
        Case("GET / HTTP/1.x", .invalidRequestLine),
        Case("GET / HTTP/1.11", .invalidRequestLine),
        Case("GET / HTTP/1.1 ", .invalidRequestLine),
        Case("GET / HTTP/1.2", .unsupportedVersion),
        Case("GET / HTTP/0.9", .unsupportedVersion),
        Case("GET / HTTP/2.0", .unsupportedVersion),
        Case("GET / HTTP/1.1\n", .bareLineEnd),
        Case("GET / HTTP/1.1\rH", .bareLineEnd),
    ]

    static let fieldLines: [Case] = [
        Case(" ", .obsoleteLineFolding),
        Case("\t", .obsoleteLineFolding),
        Case("A: b\r\n ", .obsoleteLineFolding),
        Case(":", .invalidFieldName),
        Case("A ", .invalidFieldName),
        Case("A\t", .invalidFieldName),
        Case("A\0", .invalidFieldName),
        Case("A-b-c-d-e-f-g-h-\u{eb}", .invalidFieldName),
        Case("A-b-c-d-e-f-g-h@", .invalidFieldName),
        Case("A[", .invalidFieldName),
        Case("A\r", .bareLineEnd),
        Case("A\n", .bareLineEnd),
        Case("\n", .bareLineEnd),
        Case("\rA", .bareLineEnd),
        Case("A: b\n", .bareLineEnd),
        Case("A: b\rc", .bareLineEnd),
        Case("A: 0123456789abcdef\0", .invalidFieldValue),
        Case("A: b\u{7f}", .invalidFieldValue),
        Case("A: \u{b}", .invalidFieldValue),
        Case("A: \u{1b}", .invalidFieldValue),
        Case("Host: a\r\n", .hostRepeated),
        Case("hOST: b\r\n", .hostRepeated),
        Case("Content-Type: a/b\r\nContent-type: a/b\r\n", .contentTypeRepeated),
        Case("Content-Length:\r\n", .contentLengthInvalid),
        Case("Content-Length: +1\r\n", .contentLengthInvalid),
        Case("Content-Length: -0\r\n", .contentLengthInvalid),
        Case("Content-Length: 1 2\r\n", .contentLengthInvalid),
        Case("Content-Length: 5, 5\r\n", .contentLengthInvalid),
        Case("Content-Length: 0x1\r\n", .contentLengthInvalid),
        Case("Content-Length: 1_0\r\n", .contentLengthInvalid),
        Case("Content-Length: 9223372036854775808\r\n", .contentLengthInvalid),
        Case("Content-Length: 18446744073709551621\r\n", .contentLengthInvalid),
        Case("Content-Length: 5\r\nContent-Length: 5\r\n", .contentLengthRepeated),
        Case("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .conflictingFraming),
        Case("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", .conflictingFraming),
        Case("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .transferEncodingRepeated),
        Case("Transfer-Encoding:\r\n", .transferEncodingInvalid),
        Case("Transfer-Encoding: identity\r\n", .transferCodingUnsupported),
        Case("Transfer-Encoding: chunked, chunked\r\n", .transferCodingUnsupported),
        Case("Transfer-Encoding: gzip, chunked\r\n", .transferCodingUnsupported),
        Case("Transfer-Encoding: chunked;a=b\r\n", .transferCodingUnsupported),
        Case("Transfer-Encoding: xchunked\r\n", .transferCodingUnsupported),
        Case("Expect: 200-ok\r\n", .unknownExpectation),
    ].map { Case(start + $0.stream, $0.error) }

    static let heads: [Case] = [
        Case("GET / HTTP/1.1\r\n\r\n", .hostMissing),
        Case("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", .transferEncodingInvalid),
        Case("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", .hostRepeated),
    ]

    @Test(
        "the last byte of the stream is refused, however it is cut, and no byte before it",
        arguments: requestLines + fieldLines + heads)
    func refused(_ entry: Case) {
        let stream = entry.stream.unicodeScalars.map { UInt8($0.value) }
        for delivery in Delivery.allCases {
            #expect(ScriptedConnection.after(stream, delivery).error == entry.error)
        }
        #expect(ScriptedConnection.after(stream.dropLast()).error == nil)
    }

    @Test("an unfinished request at the end of input is refused, an idle connection is not")
    func truncated() {
        let post = Array("\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab".utf8)
        for count in 0...post.count {
            let connection = ScriptedConnection.after(Array(post[..<count]), end: true)
            #expect(connection.error == (count > 2 && count < post.count ? .truncated : nil), "\(count)")
        }
    }

    @Test("every error has a 4xx or 5xx status, a code and one sentence", arguments: HTTPParseError.allCases)
    func errors(_ error: HTTPParseError) {
        #expect(error.status.kind == .clientError || error.status.kind == .serverError)
        #expect(error.code.utf8.allSatisfy { $0 == 0x5f || 0x61...0x7a ~= $0 })
        #expect(error.detail.hasSuffix("."))
    }

    @Test("the statuses that clients tell apart")
    func statuses() {
        #expect(HTTPParseError.requestLineTooLong.status == .uriTooLong)
        #expect(HTTPParseError.headerSectionTooLarge.status == .requestHeaderFieldsTooLarge)
        #expect(HTTPParseError.tooManyFields.status == .requestHeaderFieldsTooLarge)
        #expect(HTTPParseError.unsupportedVersion.status == .httpVersionNotSupported)
        #expect(HTTPParseError.transferCodingUnsupported.status == .notImplemented)
        #expect(HTTPParseError.unknownExpectation.status == .expectationFailed)
        #expect(HTTPParseError.methodRefused.status == .methodNotAllowed)
        #expect(HTTPParseError.hostMissing.status == .badRequest)
        #expect(HTTPParseError.hostMissing.code == "malformed_request")
    }
}

extension RequestRefusalTests.Case {
    /// The case with its last bytes made harmless: a bad escape is known only two bytes later.
    fileprivate func padded(_ text: String) -> Self { .init(stream + text, error) }
}
