package import HTTPTypes

/// Writes response heads. Framing is stated here and only here, so that no response carries both kinds, and every final
/// response has a Date.
///
package enum ResponseEncoder {
    /// The interim response that lets a client send its body.
    package static let continueResponse: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Writes a whole head, from the status line to the empty line.
    /// - Parameters:
    ///   - fields: what the answer says of itself.
    ///   - further: fields that stand behind them.
    ///   - framing: how the body that follows is delimited. `.none` writes no framing field, as 204, 304 and a stream
    ///     that ends by closing need it; an empty body is `.length(0)`.
    ///   - keepAlive: false adds `Connection: close`.
    ///   - append: takes the bytes, piece by piece in order, each valid during its call only.
    @inlinable
    package static func writeHead(
        _ status: HTTPResponse.Status, _ fields: ResponseFields, _ further: ResponseFields = ResponseFields(),
        framing: BodyFraming, keepAlive: Bool, date: HTTPDate, append: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        writeStatusLine(status, append: append)
        fields.bytes.withUnsafeBufferPointer(append)
        further.bytes.withUnsafeBufferPointer(append)
        switch framing {
        case .none: break
        case .length(let length):
            write("Content-Length: ", append: append)
            write(decimal: length, append: append)
            write("\r\n", append: append)
        case .chunked: write("Transfer-Encoding: chunked\r\n", append: append)
        }
        if !keepAlive { write("Connection: close\r\n", append: append) }
        write("Date: ", append: append)
        date.withBytes(append)
        write("\r\n\r\n", append: append)
    }

    /// The head as an array.
    package static func head(
        _ status: HTTPResponse.Status, _ fields: ResponseFields, _ further: ResponseFields = ResponseFields(),
        framing: BodyFraming, keepAlive: Bool, date: HTTPDate
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        // The fields, what the encoder adds to them (less than 200 bytes), and the first frames of a stream, which go behind.
        bytes.reserveCapacity(fields.bytes.count + further.bytes.count + 384)
        writeHead(status, fields, further, framing: framing, keepAlive: keepAlive, date: date) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// `HTTP/1.1 200 OK` and CRLF.
    @inlinable
    package static func writeStatusLine(_ status: HTTPResponse.Status, append: (UnsafeBufferPointer<UInt8>) -> Void) {
        if status.code == 200, status.reasonPhrase == "OK" { return write("HTTP/1.1 200 OK\r\n", append: append) }
        write("HTTP/1.1 ", append: append)
        write(decimal: status.code, append: append)
        write(" ", append: append)
        write(status.reasonPhrase, append: append)
        write("\r\n", append: append)
    }

    /// Appends a number that is not negative, in decimal digits.
    @inlinable
    package static func write(decimal number: Int, append: (UnsafeBufferPointer<UInt8>) -> Void) {
        var digits = InlineArray<20, UInt8>(repeating: 0x30)
        var rest = number.magnitude
        var start = 20
        repeat {
            start -= 1
            digits[start] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        digits.span.extracting(start..<20).withUnsafeBufferPointer { append($0) }
    }

    /// Appends text that is known at compile time.
    @inlinable
    package static func write(_ text: StaticString, append: (UnsafeBufferPointer<UInt8>) -> Void) {
        append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends text as UTF-8. The caller vouches that it holds no CR or LF.
    @inlinable
    package static func write(_ text: String, append: (UnsafeBufferPointer<UInt8>) -> Void) {
        var text = text
        text.withUTF8(append)
    }
}
