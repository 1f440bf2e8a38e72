import Testing

@testable import HTTPClient

@Suite("The response decoder")
struct ResponseDecoderTests {
    struct Result: Equatable {
        var status: Int?
        var body = ""
        var outcome = ResponseDecoder.Outcome.needMore
        var keepAlive = false
        var endsWithConnection = false
    }

    /// Feeds an answer in the given pieces, as a connection would, until it is decided.
    private func decode(_ pieces: [ArraySlice<UInt8>]) -> Result {
        var decoder = ResponseDecoder()
        var result = Result()
        for piece in pieces {
            result.outcome = Array(piece).withUnsafeBufferPointer { bytes in
                decoder.decode(
                    bytes,
                    head: {
                        result.status = $0.status
                        return true
                    },
                    body: {
                        #expect(!$0.isEmpty)
                        result.body += String(decoding: $0, as: UTF8.self)
                        return true
                    })
            }
            if result.outcome != .needMore { break }
        }
        result.keepAlive = decoder.keepAlive
        result.endsWithConnection = decoder.endsWithConnection
        return result
    }

    private static let complete = ResponseDecoder.Outcome.complete(excess: false)

    static let answers: [(String, Result)] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Result(status: 200, body: "hello", outcome: complete, keepAlive: true)
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
            Result(status: 200, body: "hello", outcome: complete, keepAlive: true)
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", Result(status: 204, outcome: complete, keepAlive: true)),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", Result(status: 500, outcome: complete, keepAlive: true)),
        (
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            Result(status: 302, outcome: complete, keepAlive: true)
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            Result(status: 200, body: "ok", outcome: complete, keepAlive: false)
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Result(status: 200, body: "ok", outcome: complete, keepAlive: true)
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", Result(status: 200, body: "until the end", endsWithConnection: true)),
        ("HTTP/1.0 200 OK\r\n\r\nold", Result(status: 200, body: "old", endsWithConnection: true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Result(status: 200, body: "hel", keepAlive: true)),
    ]

    @Test("gives the same answer however its bytes were cut", arguments: answers)
    func splits(answer: String, expected: Result) {
        let bytes = Array(answer.utf8)
        #expect(decode([bytes[...]]) == expected)
        #expect(decode(bytes.indices.map { bytes[$0...$0] }) == expected)
        for cut in bytes.indices { #expect(decode([bytes[..<cut], bytes[cut...]]) == expected) }
    }

    @Test(
        "tells bytes behind the answer",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", "HTTP/1.1 204 No Content\r\n\r\nX",
        ])
    func excess(answer: String) {
        #expect(decode([Array(answer.utf8)[...]]).outcome == .complete(excess: true))
    }

    @Test(
        "refuses what two readers could understand differently",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nName : value\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/2 200 OK\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ])
    func refuses(answer: String) {
        let bytes = Array(answer.utf8)
        for pieces in [[bytes[...]], bytes.indices.map { bytes[$0...$0] }] {
            guard case .failed(.malformed) = decode(pieces).outcome else {
                Issue.record("accepted")
                return
            }
        }
    }

    @Test("bounds the head and the number of interim answers")
    func bounds() {
        let long = Array(("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000)).utf8)
        #expect(decode([long[...]]).outcome == .failed(.headTooLarge))
        #expect(decode(long.indices.map { long[$0...$0] }).outcome == .failed(.headTooLarge))
        let many = Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 101) + "\r\n").utf8)
        #expect(decode([many[...]]).outcome == .failed(.headTooLarge))
        let interim = Array(String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 17).utf8)
        #expect(decode([interim[...]]).outcome == .failed(.malformed("Too many interim answers.")))
    }

    @Test("stops where the receiver says so")
    func stops() {
        var decoder = ResponseDecoder()
        let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".utf8)
        let outcome = bytes.withUnsafeBufferPointer { decoder.decode($0, head: { _ in false }, body: { _ in true }) }
        #expect(outcome == .stopped)
    }

    @Test("gives field values by name, letters compared without case")
    func fields() {
        var decoder = ResponseDecoder()
        var found: [String?] = []
        let bytes = Array("HTTP/1.1 429 Slow\r\nRETRY-after:  7 \r\nContent-Length: 0\r\n\r\n".utf8)
        _ = bytes.withUnsafeBufferPointer {
            decoder.decode(
                $0,
                head: { head in
                    found = [head.value(of: "retry-after"), head.value(of: "retry"), head.value(of: "content-type")]
                    return true
                }, body: { _ in true })
        }
        #expect(found == ["7", nil, nil])
    }
}
