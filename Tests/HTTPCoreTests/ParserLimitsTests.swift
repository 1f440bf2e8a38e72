import HTTPCore
import Testing

@Suite("Bounds of a request head, exact to the byte")
struct ParserLimitsTests {
    private func verdict(_ text: String, _ delivery: Delivery = .whole) -> HTTPParseError? {
        let connection = ScriptedConnection.after(Array(text.utf8), delivery)
        if connection.error == nil { #expect(connection.verdict.requests == 1) }
        return connection.error
    }

    @Test("a request line of 8,192 bytes is taken, one more is 414", arguments: Delivery.allCases)
    func requestLine(_ delivery: Delivery) {
        for overhead in ["GET /", "GET /?", "GET http://a/", "BREW-COFFEE /"] {
            for (extra, error) in [(0, nil), (1, HTTPParseError.requestLineTooLong), (2, .requestLineTooLong)] {
                let path = String(repeating: "a", count: 8192 - overhead.utf8.count - " HTTP/1.1".utf8.count + extra)
                #expect(verdict("\(overhead)\(path) HTTP/1.1\r\nHost: a\r\n\r\n", delivery) == error)
            }
        }
    }

    @Test("8,000 octets of target are taken, also with leading empty lines")
    func longTarget() {
        let target = "/" + String(repeating: "%41", count: 2666) + "a"
        #expect(target.utf8.count == 8000)
        #expect(verdict("\r\nDELETE \(target) HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    }

    @Test("an endless method, target or escape is refused at the bound and not later", arguments: ["A", "GET /a", "GET /%41"])
    func endless(_ start: String) {
        let unit = start.hasPrefix("GET") ? String(start.dropFirst(5)) : "A"
        let text = start + String(repeating: unit, count: 8192 / unit.utf8.count + 1)
        for delivery in Delivery.allCases { #expect(verdict(text, delivery) == .requestLineTooLong) }
    }

    @Test("a bad byte behind the bound does not change the verdict", arguments: Delivery.allCases)
    func badByteBehind(_ delivery: Delivery) {
        #expect(verdict("GET /" + String(repeating: "a", count: 8300) + "\0", delivery) == .requestLineTooLong)
        let fields = "GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 32800) + "\0"
        #expect(verdict(fields, delivery == .bytes ? .lines : delivery) == .headerSectionTooLarge)
    }

    @Test("a header section of 32,768 bytes is taken, one more is 431", arguments: [Delivery.whole, .lines])
    func headerSection(_ delivery: Delivery) {
        // "Host: a" CRLF, "A: " value CRLF, CRLF
        let room = 32 * 1024 - 9 - 5 - 2
        let start = "\r\nGET / HTTP/1.1\r\nHost: a\r\nA: "
        #expect(verdict(start + String(repeating: "v", count: room) + "\r\n\r\n", delivery) == nil)
        for extra in 1...4 {
            let value = String(repeating: "v", count: room + extra)
            #expect(verdict(start + value + "\r\n\r\n", delivery) == .headerSectionTooLarge)
        }
        let name = String(repeating: "n", count: 32 * 1024)
        #expect(verdict("GET / HTTP/1.1\r\n" + name, delivery) == .headerSectionTooLarge)
    }

    @Test("the bound of the header section holds byte by byte")
    func smallSection() {
        // Smaller, as every byte is parsed alone.
        let limits = ParserLimits(requestLine: 64, headerSection: 128, fieldCount: 3)
        for extra in -2...4 {
            let text = "GET / HTTP/1.1\r\nHost: a\r\nA: " + String(repeating: "v", count: 128 - 16 + extra) + "\r\n\r\n"
            for delivery in Delivery.allCases {
                let connection = ScriptedConnection.after(Array(text.utf8), delivery, limits: limits)
                #expect(connection.error == (extra > 0 ? .headerSectionTooLarge : nil), "\(extra), \(delivery)")
            }
        }
    }

    @Test("one hundred fields are taken, one more is 431", arguments: Delivery.allCases)
    func fieldCount(_ delivery: Delivery) {
        func text(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: a\r\n" + (1..<count).map { "X-\($0): v\r\n" }.joined() + "\r\n"
        }
        #expect(verdict(text(100), delivery) == nil)
        #expect(verdict(text(101), delivery) == .tooManyFields)
    }

    @Test("no head is longer than the limits say")
    func headBound() {
        let limits = ParserLimits()
        #expect(limits.head == 4 + 8192 + 2 + 32768)
    }
}
