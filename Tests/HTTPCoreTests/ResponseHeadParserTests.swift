import HTTPCore
import HTTPTypes
import Testing

@Suite("Heads of responses we receive")
struct ResponseHeadParserTests {
    private func parse(_ text: String, isAnswerToHead: Bool = false) throws -> ResponseHead? {
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        var parser = ResponseHeadParser(isAnswerToHead: isAnswerToHead)
        return try parser.parse(bytes.span)
    }

    @Test(
        "framing and keep-alive follow RFC 9112 6.3",
        arguments: [
            ("200 OK\r\nContent-Length: 5\r\n", 200, ResponseHead.Framing.length(5), true),
            ("200 OK\r\nTransfer-Encoding: chunked\r\n", 200, .chunked, true),
            ("200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x, close\r\n", 200, .chunked, false),
            ("200 OK\r\n", 200, .untilClose, false),
            ("200\r\nContent-Length: 0\r\n", 200, .length(0), true),
            ("200 \r\nContent-Length: 0\r\n", 200, .length(0), true),
            ("429 Zu viele\tAnfragen \u{e9}\r\nContent-Length: 0\r\n", 429, .length(0), true),
            ("204 No Content\r\n", 204, .none, true),
            ("304 Not Modified\r\nContent-Length: 9\r\n", 304, .none, true),
            ("100 Continue\r\n", 100, .none, true),
            ("599 X\r\nContent-Length: 1\r\n", 599, .length(1), true),
        ])
    func framing(_ text: String, _ status: Int, _ framing: ResponseHead.Framing, _ keepAlive: Bool) throws {
        let head = try #require(try parse("HTTP/1.1 \(text)\r\nbody"))
        #expect(head.status == status)
        #expect(head.framing == framing)
        #expect(head.keepAlive == keepAlive)
        #expect(head.length == "HTTP/1.1 \(text)\r\n".unicodeScalars.count)
    }

    @Test("HTTP/1.0 always closes; an answer to HEAD has no body")
    func special() throws {
        let old = try #require(try parse("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n"))
        #expect(old.framing == .length(1))
        #expect(!old.keepAlive)
        let head = try #require(try parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", isAnswerToHead: true))
        #expect(head.framing == .none)
        #expect(head.keepAlive)
    }

    @Test("the head is the same whichever byte it is cut at")
    func everySplit() throws {
        let text = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n"
        let bytes = Array(text.utf8)
        let expected = try #require(try parse(text))
        #expect(expected.value(of: .retryAfter, in: bytes.span) == "7")
        for cut in 0..<bytes.count {
            var parser = ResponseHeadParser()
            #expect(try parser.parse(bytes.span.extracting(0..<cut)) == nil)
            #expect(try parser.parse(bytes.span) == expected)
        }
        var parser = ResponseHeadParser()
        for cut in 0..<bytes.count { #expect(try parser.parse(bytes.span.extracting(0..<cut)) == nil) }
        #expect(try parser.parse(bytes.span) == expected)
    }

    @Test(
        "what could be read in two ways is refused at its last byte",
        arguments: [
            ("h", HTTPParseError.invalidStatusLine), ("HTTP/2", .invalidStatusLine), ("HTTP/1.1\r", .invalidStatusLine),
            ("HTTP/1.1  ", .invalidStatusLine), ("HTTP/1.1 20 ", .invalidStatusLine), ("HTTP/1.1 2000", .invalidStatusLine),
            ("HTTP/1.1 099 ", .invalidStatusLine), ("HTTP/1.1 600 ", .invalidStatusLine), ("HTTP/1.2 200 ", .unsupportedVersion),
            ("HTTP/1.1 200 O\n", .bareLineEnd), ("HTTP/1.1 200 O\rK", .bareLineEnd), ("HTTP/1.1 200 O\0", .invalidStatusLine),
            ("HTTP/1.1 200 OK\r\n ", .obsoleteLineFolding), ("HTTP/1.1 200 OK\r\nA :", .invalidFieldName),
            ("HTTP/1.1 200 OK\r\nA: b\n", .bareLineEnd),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", .contentLengthRepeated),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", .conflictingFraming),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", .transferCodingUnsupported),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", .transferEncodingInvalid),
        ])
    func refused(_ text: String, _ error: HTTPParseError) throws {
        // The space before a name's colon is the fault, so what follows it does not matter.
        let text = error == .invalidFieldName ? String(text.dropLast()) : text
        let lastByteDecides = !text.hasSuffix(" ") || error != .invalidStatusLine && error != .unsupportedVersion
        #expect(throws: error) { try parse(text) }
        if lastByteDecides { #expect(try parse(String(String.UnicodeScalarView(text.unicodeScalars.dropLast()))) == nil) }
    }

    @Test("a head of 16 KiB is taken, one more byte is refused")
    func bounds() throws {
        let start = "HTTP/1.1 200 OK\r\nA: "
        let room = 16 * 1024 - start.utf8.count - 4
        #expect(try parse(start + String(repeating: "v", count: room) + "\r\n\r\n")?.length == 16 * 1024)
        #expect(throws: HTTPParseError.headerSectionTooLarge) {
            try parse(start + String(repeating: "v", count: room + 1) + "\r\n\r\n")
        }
        #expect(throws: HTTPParseError.headerSectionTooLarge) {
            try parse("HTTP/1.1 200 " + String(repeating: "v", count: 16 * 1024))
        }
        #expect(throws: HTTPParseError.tooManyFields) {
            try parse("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 101))
        }
    }
}
