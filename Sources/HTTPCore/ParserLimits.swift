/// What a message head may take, in bytes. A bound is exact: what fits is taken, one byte more is refused.
package struct ParserLimits: Sendable, Equatable {
    /// Bytes of the request line without its CRLF. 8 KiB leave room for the 8,000 octets of target that RFC 9112 section 3
    /// asks every server to take.
    package var requestLine: Int
    /// Bytes of the header section: every field line with its CRLF, and the empty line that ends it.
    package var headerSection: Int
    /// Number of field lines.
    package var fieldCount: Int

    /// The sum of the byte bounds must stay below 2 GiB; a head's ranges are 32 bits wide.
    package init(requestLine: Int = 8 * 1024, headerSection: Int = 32 * 1024, fieldCount: Int = 100) {
        self.requestLine = requestLine
        self.headerSection = headerSection
        self.fieldCount = fieldCount
    }

    /// The longest head that these limits let through: two empty lines, the request line, the header section. A connection
    /// never needs to buffer more than this for a head.
    package var head: Int { 4 + requestLine + 2 + headerSection }
}
