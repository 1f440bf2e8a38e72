/// Percent-decoding, done once and strictly (RFC 3986 2.1): a bad escape, a NUL or text that is not UTF-8 is an error.
enum PercentEncoding {
    /// The byte that the escape at `index` stands for; nil where no two hexadecimal digits follow before `end`.
    static func decodedByte(at index: Int, before end: Int, _ bytes: Span<UInt8>) -> UInt8? {
        guard index + 2 < end, let high = bytes[index + 1].hexDigitValue, let low = bytes[index + 2].hexDigitValue else {
            return nil
        }
        return high << 4 | low
    }

    /// The text of `start..<end`, decoded. `plusIsSpace`: as forms and URLSearchParams write a query.
    static func decode(
        _ start: Int, _ end: Int, _ bytes: Span<UInt8>, plusIsSpace: Bool
    ) throws(HTTPParseError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(end - start)
        var index = start
        while index < end {
            let byte = bytes[index]
            if byte == 0x25 {
                guard let escaped = decodedByte(at: index, before: end, bytes), escaped != 0 else { throw .invalidTarget }
                decoded.append(escaped)
                index += 3
            } else {
                decoded.append(plusIsSpace && byte == 0x2b ? .space : byte)
                index += 1
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .invalidTarget }
        return text
    }
}
