import Foundation
import Testing

@testable import Streaming

@Suite struct ServerSentEventParserTests {
    struct Event: Equatable, Sendable {
        var type = "message"
        var data: String
        var id = ""
    }

    struct Parsed {
        var events: [Event] = []
        var retry: Int?
        var error: ServerSentEventError?
    }

    static func parse(_ reads: [[UInt8]]) -> Parsed {
        var parser = ServerSentEventParser()
        var parsed = Parsed()
        do throws(ServerSentEventError) {
            for read in reads {
                // A copy that is gone after the read: what the parser keeps must be its own.
                let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: read.count)
                defer { copy.deallocate() }
                _ = copy.initialize(from: read)
                defer { copy.update(repeating: 0xAA) }
                var offset = 0
                while let event = try parser.next(in: UnsafeBufferPointer(copy), from: &offset) {
                    let type = String(decoding: event.isTyped ? parser.eventType : [], as: UTF8.self)
                    parsed.events.append(
                        Event(
                            type: type.isEmpty ? "message" : type, data: String(decoding: event.data, as: UTF8.self),
                            id: String(decoding: parser.lastEventID, as: UTF8.self)))
                }
                #expect(offset == read.count)
            }
        } catch {
            parsed.error = error
        }
        parsed.retry = parser.retry
        return parsed
    }

    static let streams: [(String, [Event])] = [
        ("", []),
        ("\n\n\n", []),
        ("data: a\n\n", [Event(data: "a")]),
        ("data:a\n\ndata:  b\n\n", [Event(data: "a"), Event(data: " b")]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", [Event(data: "a"), Event(data: "b")]),
        ("data: a\r\rdata: b\r\r", [Event(data: "a"), Event(data: "b")]),
        ("data: a\n\r\ndata: b\r\n\ndata: c\r\n\r", [Event(data: "a"), Event(data: "b"), Event(data: "c")]),
        ("data: a\ndata: b\n\n", [Event(data: "a\nb")]),
        ("data\n\n", [Event(data: "")]),
        ("data\ndata\n\n", [Event(data: "\n")]),
        ("data: a\rdata: b\n\n", [Event(data: "a\nb")]),
        (": comment\n\n:\n\ndata: a\n\n", [Event(data: "a")]),
        (": comment\ndata: a\n\n", [Event(data: "a")]),
        ("event: error\ndata: a\n\ndata: b\n\n", [Event(type: "error", data: "a"), Event(data: "b")]),
        ("error: a\n\ndata: b\n\n", [Event(type: "error", data: "a"), Event(data: "b")]),
        ("event: lost\n\ndata: b\n\n", [Event(data: "b")]),
        ("data: a\nevent: late\n\n", [Event(type: "late", data: "a")]),
        ("id: 7\ndata: a\n\ndata: b\n\n", [Event(data: "a", id: "7"), Event(data: "b", id: "7")]),
        ("unknown: x\ndata: a\n\ndataset: b\n\n", [Event(data: "a")]),
        ("data: unfinished", []),
        ("data: no blank line\n", []),
        ("data: [DONE]\n\n", [Event(data: "[DONE]")]),
        ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", [Event(data: "a")]),
        ("data: é😀\n\n", [Event(data: "é😀")]),
    ]

    @Test("a stream gives the events of HTML 9.2.6 wherever the reads cut it", arguments: streams)
    func events(stream: String, expected: [Event]) {
        for reads in Pieces.all(of: Array(stream.utf8)) {
            let parsed = Self.parse(reads)
            #expect(parsed.events == expected, "\(reads.map(\.count))")
            #expect(parsed.error == nil)
        }
    }

    @Test(
        "retry takes digits only",
        arguments: [("retry: 0300\n\n", 300), ("retry: 1\nretry: 2x\n\n", 1), ("retry\n\n", nil), ("retry: -1\n\n", nil)])
    func retry(stream: String, expected: Int?) {
        for reads in Pieces.all(of: Array(stream.utf8)) { #expect(Self.parse(reads).retry == expected) }
    }

    @Test("bytes that begin like a byte order mark and are none belong to the first line")
    func brokenByteOrderMark() {
        for reads in Pieces.all(of: [0xEF, 0xBB] + Array("data: a\n\ndata: b\n\n".utf8)) {
            #expect(Self.parse(reads).events == [Event(data: "b")])
        }
    }

    @Test("a complete event is given where it lies, without a copy", arguments: ["\n\n", "\r\n\r\n"])
    func withoutCopy(ending: String) throws {
        let stream = Array("data: first\(ending)data: second\(ending)".utf8)
        var parser = ServerSentEventParser()
        try stream.withUnsafeBufferPointer { bytes in
            let range = try #require(bytes.baseAddress).advanced(by: 0)...(try #require(bytes.baseAddress) + bytes.count)
            var offset = 0
            var count = 0
            while let event = try parser.next(in: bytes, from: &offset) {
                #expect(range.contains(try #require(event.data.baseAddress)))
                count += 1
            }
            #expect(count == 2)
        }
    }

    @Test("an event up to the limit is taken, one byte more is an error, however it comes", arguments: [0, 1])
    func limit(excess: Int) {
        let length = ServerSentEventParser.eventLimit - "data: ".utf8.count + excess
        let stream = Array("data: ".utf8) + Array(repeating: UInt8(ascii: "x"), count: length) + Array("\n\n".utf8)
        for reads in [[stream]] + Pieces.twos(of: stream, step: 300_001) {
            let parsed = Self.parse(reads)
            #expect(parsed.error == (excess == 0 ? nil : .eventTooLarge))
            #expect(parsed.events.count == (excess == 0 ? 1 : 0))
        }
    }

    @Test("many lines of one event are bounded together")
    func manyLines() {
        let line = Array("data: \(String(repeating: "x", count: 1000))\n".utf8)
        let parsed = Self.parse(Array(repeating: line, count: 1100))
        #expect(parsed.error == .eventTooLarge)
    }

    @Test("a comment without end is bounded too")
    func endlessComment() {
        let parsed = Self.parse(Array(repeating: Array(repeating: UInt8(ascii: ":"), count: 64 * 1024), count: 17))
        #expect(parsed.error == .eventTooLarge)
    }

    // The corpus is no part of the project; where it lies is said by the environment.
    @Test(
        "the streams of the corpus give their events at every split",
        .enabled(if: ProcessInfo.processInfo.environment["CORPORA"] != nil))
    func corpus() throws {
        struct Vector: Decodable {
            struct Event: Decodable {
                let event: String
                let data: String
                let id: String
            }
            let name: String
            let stream_base64: String
            let expected: [Event]
            let retry_ms: Int?
        }
        let directory = try #require(ProcessInfo.processInfo.environment["CORPORA"])
        let file = URL(fileURLWithPath: directory).appendingPathComponent("sse-streams/streams.json")
        let vectors = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file))
        #expect(vectors.count == 50)
        for vector in vectors {
            let stream = Array(try #require(Data(base64Encoded: vector.stream_base64)))
            let expected = vector.expected.map { Event(type: $0.event, data: $0.data, id: $0.id) }
            let isLong = stream.count > 10_000
            let cuts = isLong ? [[stream], stream.map { [$0] }] + Pieces.twos(of: stream, step: 5003) : Pieces.all(of: stream)
            for reads in cuts {
                let parsed = Self.parse(reads)
                #expect(parsed.events == expected, "\(vector.name)")
                if let retry = vector.retry_ms { #expect(parsed.retry == retry, "\(vector.name)") }
            }
        }
    }
}
