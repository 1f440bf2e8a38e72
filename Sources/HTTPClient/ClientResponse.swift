import HTTPCore

/// The head of an answer: status and fields.
package struct ClientResponse: Sendable {
    /// 200 to 599: interim answers are skipped, redirects are answers like any other.
    package let status: Int
    private let bytes: [UInt8]
    private let fields: FieldList

    /// Copies the head out of the buffer it was parsed from.
    init(_ head: ResponseHead, bytes: UnsafeBufferPointer<UInt8>) {
        status = head.status
        fields = head.fields
        self.bytes = Array(bytes[..<head.length])
    }

    /// The first value of a field, its name compared without case; nil where it is absent. Bytes that are not UTF-8
    /// become U+FFFD.
    package func value(of name: String) -> String? {
        for line in fields.lines where isNamed(name, line.name) { return line.value.string(in: bytes.span) }
        return nil
    }

    private func isNamed(_ wanted: String, _ name: ByteRange) -> Bool {
        guard name.count == wanted.utf8.count else { return false }
        var place = name.bounds.lowerBound
        for byte in wanted.utf8 {
            if Self.lowercased(bytes[place]) != Self.lowercased(byte) { return false }
            place += 1
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}
