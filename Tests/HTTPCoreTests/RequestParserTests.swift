import HTTPCore
import HTTPTypes
import Testing

@Suite("Request heads that are accepted")
struct RequestParserTests {
    static let post = """
        POST /api/complete?dry=1 HTTP/1.1\r
        Host: api.example.com:8080\r
        Authorization: Bearer abc\r
        content-type: application/json; charset=utf-8\r
        X-Many: one\r
        Content-Length: \t 17 \t\r
        x-many:two\r
        X-Empty:\r
        Expect: 100-Continue\r
        Connection: keep-alive, Upgrade\r
        \r\n
        """

    @Test("a head says what was sent, as ranges over its bytes")
    func wholeHead() throws {
        let bytes = Array(Self.post.utf8) + Array("{body".utf8)
        var parser = RequestParser()
        let head = try #require(try parser.parse(bytes.span))
        #expect(head.method == .post)
        #expect(head.target.form == .origin)
        #expect(head.target.whole.string(in: bytes.span) == "/api/complete?dry=1")
        #expect(head.target.path.string(in: bytes.span) == "/api/complete")
        #expect(head.target.query?.string(in: bytes.span) == "dry=1")
        #expect(head.version == .http11)
        #expect(head.host?.string(in: bytes.span) == "api.example.com:8080")
        #expect(head.framing == .length(17))
        #expect(head.keepAlive)
        #expect(head.expectsContinue)
        #expect(head.length == Self.post.utf8.count)
        #expect(head.fields.count == 9)
        #expect(head.value(of: .authorization, in: bytes.span) == "Bearer abc")
        #expect(head.value(of: .contentType, in: bytes.span) == "application/json; charset=utf-8")
        #expect(head.value(of: .contentLength, in: bytes.span) == "17")
        #expect(head.value(of: .cookie, in: bytes.span) == nil)
        let many = try #require(HTTPField.Name("X-Many"))
        #expect(head.values(of: many, in: bytes.span) == ["one", "two"])
        #expect(head.value(of: try #require(HTTPField.Name("x-empty")), in: bytes.span)?.isEmpty == true)
    }

    static let splitHeads = [
        post,
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET http://[::1]:80/a%20b?c=%41 HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: Close\r\n\r\n",
        "PROPFIND /x HTTP/1.0\r\nX: caf\u{e9}\t\u{fc} \r\n\r\n",
        "DELETE /%e2%82%ac HTTP/1.1\r\nA-Very-Long-Header-Name-With-9-Digits_and.dots: 1\r\nHost: 1.2.3.4:\r\n\r\n",
    ]

    @Test("the head is the same whichever byte it is cut at, and needs its last byte", arguments: splitHeads)
    func everySplit(_ text: String) throws {
        let bytes = Array(text.utf8)
        var whole = RequestParser()
        let expected = try #require(try whole.parse(bytes.span))
        #expect(expected.length == bytes.count)
        for cut in 0..<bytes.count {
            var parser = RequestParser()
            #expect(try parser.parse(bytes.span.extracting(0..<cut)) == nil)
            #expect(try parser.parse(bytes.span) == expected)
        }
        var parser = RequestParser()
        for cut in 0..<bytes.count { #expect(try parser.parse(bytes.span.extracting(0..<cut)) == nil) }
        #expect(try parser.parse(bytes.span) == expected)
    }

    @Test("pipelined requests are told apart", arguments: Delivery.allCases)
    func pipelined(_ delivery: Delivery) {
        let one = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET"
        let two = "PUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"\\\"\"\r\nabc\r\n0\r\nT: v\r\n\r\n"
        let stream = Array(String(repeating: one + two, count: 50).utf8)
        let connection = ScriptedConnection.after(stream, delivery)
        #expect(connection.verdict == .init(requests: 100, refusal: nil, closed: false, bodyBytes: 300))
    }

    @Test("nothing is parsed behind the last request of a connection")
    func close() {
        for last in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x , CLOSE\r\n\r\n"] {
            let connection = ScriptedConnection.after(Array((last + "junk\n").utf8))
            #expect(connection.verdict == .init(requests: 1, refusal: nil, closed: true))
        }
    }

    @Test("up to two empty lines before a request are ignored, a third is refused")
    func emptyLines() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        for delivery in Delivery.allCases {
            #expect(ScriptedConnection.after(Array(("\r\n" + get).utf8), delivery).verdict.requests == 1)
            #expect(ScriptedConnection.after(Array(("\r\n\r\n" + get).utf8), delivery).verdict.requests == 1)
            #expect(ScriptedConnection.after(Array("\r\n\r\n\r".utf8), delivery).error == .invalidRequestLine)
            #expect(ScriptedConnection.after(Array("\n".utf8), delivery).error == .invalidRequestLine)
            #expect(ScriptedConnection.after(Array("\rG".utf8), delivery).error == .bareLineEnd)
        }
    }

    @Test(
        "an unknown but well-formed method is left to the router",
        arguments: ["PROPFIND", "-BLARGH", "get", "M-SEARCH", "TRACEX", "CONNECTED", "!#$%&'*+-.^_`|~09azAZ"])
    func unknownMethods(_ method: String) throws {
        let bytes = Array("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        var parser = RequestParser()
        #expect(try parser.parse(bytes.span)?.method.rawValue == method)
    }

    @Test("an expectation counts only with HTTP/1.1 and a body")
    func expectations() throws {
        func head(_ lines: String, _ version: String = "1.1") throws -> RequestHead? {
            let bytes = Array("POST / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n".utf8)
            var parser = RequestParser()
            return try parser.parse(bytes.span)
        }
        #expect(try head("Expect: 100-continue\r\nContent-Length: 1\r\n")?.expectsContinue == true)
        #expect(try head("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n")?.expectsContinue == true)
        #expect(try head("Expect: 100-continue\r\nContent-Length: 0\r\n")?.expectsContinue == false)
        #expect(try head("Expect: 100-continue\r\n")?.expectsContinue == false)
        #expect(try head("Content-Length: 1\r\n")?.expectsContinue == false)
        #expect(try head("Expect: 100-continue\r\nContent-Length: 1\r\n", "1.0")?.expectsContinue == false)
        #expect(try head("Expect: something else\r\nContent-Length: 1\r\n", "1.0")?.expectsContinue == false)
        #expect(throws: HTTPParseError.unknownExpectation) { try head("Expect: 200-ok\r\n") }
    }

    @Test("a content length is digits up to the largest integer")
    func contentLengths() throws {
        for (text, length) in [("0", 0), ("007", 7), ("9223372036854775807", Int.max)] {
            let bytes = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(text)\r\n\r\n".utf8)
            var parser = RequestParser()
            #expect(try parser.parse(bytes.span)?.framing == .length(length))
        }
    }

    @Test("a head outlives the parser's next request")
    func headsAreValues() throws {
        let one = Array("GET /1 HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n".utf8)
        let two = Array("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n".utf8)
        var parser = RequestParser()
        let first = try #require(try parser.parse(one.span))
        parser.reset()
        let second = try #require(try parser.parse(two.span))
        #expect(first.fields.count == 2)
        #expect(second.fields.count == 1)
        #expect(second.host?.string(in: two.span) == "b")
    }

    @Test("a request in progress can be told from an idle connection")
    func midRequest() throws {
        let bytes = Array("\r\nG".utf8)
        var parser = RequestParser()
        #expect(!parser.isMidRequest)
        _ = try parser.parse(bytes.span.extracting(0..<2))
        #expect(!parser.isMidRequest)
        _ = try parser.parse(bytes.span)
        #expect(parser.isMidRequest)
        parser.reset()
        #expect(!parser.isMidRequest)
    }
}
