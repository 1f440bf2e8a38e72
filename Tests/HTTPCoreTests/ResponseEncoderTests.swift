import Foundation
import HTTPCore
import HTTPTypes
import Testing

@Suite("Heads of responses we send")
struct ResponseEncoderTests {
    private let date = HTTPDate(unixSeconds: 784_111_777)

    private func text(
        _ status: HTTPResponse.Status, _ fields: ResponseFields = [:], _ framing: BodyFraming, keepAlive: Bool = true
    ) -> String {
        String(
            decoding: ResponseEncoder.head(status, fields, framing: framing, keepAlive: keepAlive, date: date), as: UTF8.self)
    }

    @Test("a head is the status line, the fields in order, the framing, and the date")
    func wholeHead() {
        var fields = ResponseFields()
        fields[.contentType] = "application/json; charset=utf-8"
        fields.append(.setCookie, "a=1")
        fields.append(.setCookie, "b=2")
        let wanted = """
            HTTP/1.1 200 OK\r
            Content-Type: application/json; charset=utf-8\r
            Set-Cookie: a=1\r
            Set-Cookie: b=2\r
            Content-Length: 1234567890\r
            Date: Sun, 06 Nov 1994 08:49:37 GMT\r
            \r\n
            """
        #expect(text(.ok, fields, .length(1_234_567_890)) == wanted)
    }

    @Test("framing is stated once, whatever the fields say")
    func framing() {
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
        let contradictions: ResponseFields = [
            .contentLength: "5", .transferEncoding: "gzip", .connection: "keep-alive", .date: "now", .server: "x",
        ]
        #expect(text(.ok, contradictions, .chunked) == "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n" + date)
        #expect(text(.noContent, [:], .none) == "HTTP/1.1 204 No Content\r\n" + date)
        #expect(
            text(.notFound, [:], .length(0), keepAlive: false)
                == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n" + date)
        #expect(text(.init(code: 599), [:], .none) == "HTTP/1.1 599 \r\n" + date)
    }

    @Test("setting a field puts one line behind the others in place of the one that was there")
    func setting() {
        var fields: ResponseFields = [.cacheControl: "no-store", .server: "x"]
        fields[.cacheControl] = "no-transform"
        fields[.age] = "1"
        #expect(fields == [.server: "x", .cacheControl: "no-transform", .age: "1"])
        fields[.server] = nil
        #expect(fields == [.cacheControl: "no-transform", .age: "1"])
        #expect(fields[.cacheControl] == "no-transform")
        #expect(fields[.server] == nil)
    }

    @Test("numbers stand in digits, negative ones too")
    func numbers() {
        var fields = ResponseFields()
        for number in [0, 7, -12, .max, .min] { fields.append(.age, number) }
        #expect(fields == [.age: "0", .age: "7", .age: "-12", .age: "\(Int.max)", .age: "\(Int.min)"])
    }

    @Test("a value cannot begin a new line")
    func injection() {
        let head = text(.ok, [.location: "/a\r\nSet-Cookie: b=c\n\0"], .length(0))
        #expect(head.split(separator: "\r\n", omittingEmptySubsequences: false).count == 6)
        #expect(!head.utf8.contains(0))
    }

    @Test("what is encoded parses as it was meant")
    func roundTrip() throws {
        let bytes = ResponseEncoder.head(.created, [.eTag: "\"1\""], framing: .length(3), keepAlive: false, date: date)
        var parser = ResponseHeadParser()
        let head = try #require(try parser.parse(bytes.span))
        #expect(head.status == 201)
        #expect(head.framing == .length(3))
        #expect(!head.keepAlive)
        #expect(head.value(of: .eTag, in: bytes.span) == "\"1\"")
    }

    @Test("dates agree with Foundation's from 1600 to 9999, leap days and centuries among them")
    func dates() throws {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.calendar = Calendar(identifier: .iso8601)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        var moments: [Int64] = [0, -1, 951_782_399, 951_782_400, 4_107_542_399, 4_107_542_400, 253_402_300_799, 1_709_164_800]
        for step: Int64 in 0..<300 { moments.append(-11_600_000_000 + step * 880_234_567) }
        for moment in moments {
            #expect(
                HTTPDate(unixSeconds: moment).string == formatter.string(from: Date(timeIntervalSince1970: TimeInterval(moment))))
        }
        #expect(HTTPDate(unixSeconds: .max).string == "Fri, 31 Dec 9999 23:59:59 GMT")
        #expect(HTTPDate(unixSeconds: .min).string == "Sat, 01 Jan 0000 00:00:00 GMT")
    }
}
