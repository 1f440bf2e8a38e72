import HTTPCore
import Testing

@testable import UpstreamSimulator

@Suite("The reader of requests")
struct RequestReaderTests {
    private static let bytes = Array(
        """
        POST /v1/completions HTTP/1.1\r
        Host: a\r
        Content-Length: 5\r
        \r
        helloPOST /x?id=a%20b&since=4 HTTP/1.1\r
        Host: a\r
        Transfer-Encoding: chunked\r
        \r
        3\r
        abc\r
        2\r
        de\r
        0\r
        \r
        GET /_stats HTTP/1.1\r
        Host: a\r
        \r\n
        """.utf8)

    private func read(_ pieces: [ArraySlice<UInt8>]) throws -> [String] {
        var reader = RequestReader()
        var seen: [String] = []
        for piece in pieces {
            piece.withUnsafeBufferPointer { reader.append($0) }
            reading: while true {
                switch try reader.next() {
                case .needMore: break reading
                case .expectsContinue: seen.append("100")
                case .request(let request): seen.append("\(request.path) \(String(decoding: request.body, as: UTF8.self))")
                }
            }
        }
        return seen
    }

    @Test("takes requests one behind the other, whole, at every split and byte by byte")
    func splits() throws {
        let bytes = Self.bytes
        let expected = ["/v1/completions hello", "/x abcde", "/_stats "]
        #expect(try read([bytes[...]]) == expected)
        #expect(try read(bytes.indices.map { bytes[$0...$0] }) == expected)
        for split in bytes.indices { #expect(try read([bytes[..<split], bytes[split...]]) == expected) }
    }

    @Test("asks for a body that waits to be asked for, once")
    func expectsContinue() throws {
        let head = Array("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".utf8)
        #expect(try read([head[...], Array("ab".utf8)[...]]) == ["100", "/ ab"])
    }

    @Test("reads query items")
    func query() throws {
        var reader = RequestReader()
        Array("GET /_requests?id=a%20b&since=4 HTTP/1.1\r\nHost: a\r\n\r\n".utf8).withUnsafeBufferPointer { reader.append($0) }
        guard case .request(let request) = try reader.next() else { return #expect(Bool(false), "no request") }
        #expect(request.query("id") == "a b")
        #expect(request.query("since") == "4")
        #expect(request.query("other") == nil)
    }

    @Test("refuses what is no HTTP")
    func nonsense() {
        #expect(throws: HTTPParseError.self) { try read([Array("nonsense\r\n\r\n".utf8)[...]]) }
    }
}
