/// The bytes around the chunks of a body that we send.
// Public for the sake of the one function that every event calls: no body of a package function is carried into another module.
public enum ChunkedEncoder {
    /// The last chunk and an empty trailer section: ends the body.
    package static let lastChunk: StaticString = "0\r\n\r\n"

    /// What follows a chunk's data.
    package static let dataEnd: StaticString = "\r\n"

    /// The most bytes a size line takes: sixteen digits and CRLF.
    package static let sizeLineLimit = 18

    /// Writes a chunk's size line so that it ends right before `end`, where the data begin.
    /// - Parameters:
    ///   - count: bytes of data; at least 1, as a chunk of zero bytes would end the body.
    ///   - end: at least `sizeLineLimit` writable bytes lie in front of it.
    /// - Returns: bytes written.
    @inlinable
    public static func writeSizeLine(_ count: Int, endingAt end: UnsafeMutablePointer<UInt8>) -> Int {
        assert(count > 0)
        end[-1] = 0x0a
        end[-2] = 0x0d
        var length = 2
        var rest = UInt(bitPattern: count)
        repeat {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            length += 1
            end[-length] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest >>= 4
        } while rest != 0
        return length
    }
}
