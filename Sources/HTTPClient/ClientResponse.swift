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

    /// The first value of a field, its name given in lower case and compared without case; nil where it is absent. Bytes that are
    /// not UTF-8 become U+FFFD.
    package func value(of name: StaticString) -> String? {
        let bytes = bytes.span
        for line in fields.lines where line.name.matches(name, in: bytes) { return line.value.string(in: bytes) }
        return nil
    }
}
