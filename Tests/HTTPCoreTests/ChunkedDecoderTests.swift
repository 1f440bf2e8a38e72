import HTTPCore
import Testing

@Suite("Chunked bodies")
struct ChunkedDecoderTests {
    /// Body and end of `text`, fed in pieces of `size` bytes.
    private func decode(_ text: String, size: Int = .max) -> (body: String, progress: ChunkedDecoder.Progress) {
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        var decoder = ChunkedDecoder()
        var body: [UInt8] = []
        var used = 0
        var progress = ChunkedDecoder.Progress.needMore
        while used < bytes.count, progress == .needMore {
            let end = used + min(size, bytes.count - used)
            progress = bytes[used..<end].withUnsafeBufferPointer { piece in
                decoder.decode(piece) {
                    #expect(!$0.isEmpty)
                    body.append(contentsOf: $0)
                    return true
                }
            }
            if case .complete(let consumed) = progress {
                #expect(decoder.isComplete)
                return (String(decoding: body, as: UTF8.self), .complete(consumed: used + consumed))
            }
            used = end
        }
        return (String(decoding: body, as: UTF8.self), progress)
    }

    @Test(
        "a well-formed body ends where it ends, however it is cut",
        arguments: [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", "hello world"),
            ("00A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n\r\n0\r\n\r\nxyz\r\n0\r\n\r\n", "\r\n0\r\n\r\nxyz"),
            ("1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\tg\u{e9}\"\r\n\r\n", "x"),
            ("1\r\nx\r\n0\r\nX-Sum: abc\r\nEmpty:\r\nContent-Type: text/plain\r\n\r\n", "x"),
            ("1\r\nx\r\n0\r\nContent-Lengths: 1\r\nContent-Lengt: 1\r\nHos: a\r\n\r\n", "x"),
        ])
    func wellFormed(_ text: String, _ body: String) {
        for size in [1, 2, 3, 7, Int.max] {
            let (decoded, progress) = decode(text + "GET /", size: size)
            #expect(decoded == body)
            #expect(progress == .complete(consumed: text.unicodeScalars.count))
        }
        for count in 0..<text.unicodeScalars.count {
            #expect(decode(String(String.UnicodeScalarView(text.unicodeScalars.prefix(count)))).progress == .needMore)
        }
    }

    @Test(
        "the last byte is refused, however the body is cut, and no byte before it",
        arguments: [
            ("\r", HTTPParseError.chunkSizeInvalid), ("g", .chunkSizeInvalid), (" ", .chunkSizeInvalid), ("-", .chunkSizeInvalid),
            ("+", .chunkSizeInvalid), (";", .chunkSizeInvalid), ("0x", .chunkSizeInvalid), ("1_", .chunkSizeInvalid),
            ("5 ", .chunkSizeInvalid), ("5\t", .chunkSizeInvalid), ("5\n", .bareLineEnd), ("5\rh", .bareLineEnd),
            ("5\r\r", .bareLineEnd),
            ("8000000000000000", .chunkSizeInvalid), ("fffffffffffffffff".dropLast().description, .chunkSizeInvalid),
            ("5;\r", .bareLineEnd), ("5; ", .chunkExtensionInvalid), ("5;;", .chunkExtensionInvalid),
            ("5;=", .chunkExtensionInvalid),
            ("5;a ", .chunkExtensionInvalid), ("5;a[", .chunkExtensionInvalid), ("5;a=\r", .bareLineEnd), ("5;a\n", .bareLineEnd),
            ("5;a=b=", .chunkExtensionInvalid), ("5;a=\"b\r", .bareLineEnd), ("5;a=\"b\n", .bareLineEnd),
            ("5;a=\"b\0", .chunkExtensionInvalid), ("5;a=\"\\\u{1}", .chunkExtensionInvalid),
            ("5;a=\"b\"c", .chunkExtensionInvalid),
            ("5;a\0", .chunkExtensionInvalid), ("1\r\nxy", .chunkDataUnterminated), ("1\r\nx\n", .chunkDataUnterminated),
            ("1\r\nx\ry", .chunkDataUnterminated), ("0\r\n\n", .bareLineEnd), ("0\r\n\rx", .bareLineEnd),
            ("0\r\n ", .obsoleteLineFolding), ("0\r\n:", .invalidFieldName), ("0\r\na ", .invalidFieldName),
            ("0\r\na:b\n", .bareLineEnd), ("0\r\na:b\rc", .bareLineEnd), ("0\r\na:\0", .invalidFieldValue),
            ("0\r\na:b\r\n ", .obsoleteLineFolding), ("0\r\nContent-Length:", .trailerForbidden),
            ("0\r\ntransfer-ENCODING:", .trailerForbidden), ("0\r\nHost:", .trailerForbidden),
            ("0\r\nconnection:", .trailerForbidden),
        ])
    func malformed(_ text: String, _ error: HTTPParseError) {
        for size in [1, 2, Int.max] { #expect(decode(text, size: size).progress == .failed(error)) }
        #expect(decode(String(String.UnicodeScalarView(text.unicodeScalars.dropLast()))).progress == .needMore)
    }

    @Test("the largest size is taken")
    func largestSize() {
        #expect(decode("7fffffffffffffff\r\nx").progress == .needMore)
        #expect(decode("00000000000000007fffffffffffffff\r\nx").progress == .needMore)
    }

    @Test("a size line takes 256 bytes and no more")
    func sizeLine() {
        let zeros = String(repeating: "0", count: 256)
        #expect(decode(zeros + "\r\n\r\n").progress == .complete(consumed: 260))
        #expect(decode(zeros + "0").progress == .failed(.chunkLineTooLong))
        let name = "0;" + String(repeating: "n", count: 254)
        #expect(decode(name + "\r\n\r\n").progress == .complete(consumed: 260))
        #expect(decode(name + "n").progress == .failed(.chunkLineTooLong))
    }

    @Test("the extensions of a body take 4,096 bytes and no more")
    func extensions() {
        let chunk = "1;" + String(repeating: "n", count: 127) + "\r\nx\r\n"
        let full = String(repeating: chunk, count: 32)
        #expect(decode(full + "0\r\n\r\n").progress == .complete(consumed: full.utf8.count + 5))
        #expect(decode(full + "0;").progress == .failed(.chunkExtensionsTooLong))
    }

    @Test("trailers take 16 fields and 4,096 bytes, and no more")
    func trailers() {
        let fields = "0\r\n" + String(repeating: "a:b\r\n", count: 16)
        #expect(decode(fields + "\r\n").progress == .complete(consumed: fields.utf8.count + 2))
        #expect(decode(fields + "a").progress == .failed(.trailersTooLarge))
        let long = "0\r\na:" + String(repeating: "b", count: 4096 - 2 - 4)
        #expect(decode(long + "\r\n\r\n").progress == .complete(consumed: 3 + 4096))
        #expect(decode(long + "b\r\n\r\n").progress == .failed(.trailersTooLarge))
    }

    @Test("a receiver that has enough stops the decoding")
    func stopped() {
        let bytes = Array("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n".utf8)
        var decoder = ChunkedDecoder()
        var pieces = 0
        let progress = bytes.withUnsafeBufferPointer {
            decoder.decode($0) { _ in
                pieces += 1
                return false
            }
        }
        #expect(progress == .stopped)
        #expect(pieces == 1)
    }

    @Test("an encoded size line reads back", arguments: [1, 9, 10, 15, 16, 166, 65536, Int.max])
    func sizeLines(_ count: Int) {
        var room = [UInt8](repeating: 0x78, count: 32)
        let length = room.withUnsafeMutableBufferPointer { room in
            room.baseAddress.map { ChunkedEncoder.writeSizeLine(count, endingAt: $0 + 32) } ?? 0
        }
        #expect(length <= ChunkedEncoder.sizeLineLimit)
        #expect(String(decoding: room.suffix(length), as: UTF8.self) == String(count, radix: 16) + "\r\n")
        #expect(room.dropLast(length).allSatisfy { $0 == 0x78 })
    }
}
