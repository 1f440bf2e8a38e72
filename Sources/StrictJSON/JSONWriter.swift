/// Appends JSON to an array of bytes: commas and escapes are its business, the order of calls is the caller's.
///
/// ```
/// var writer = JSONWriter()
/// writer.object { writer in
///     writer.member("id", id)
///     writer.member("next_cursor", cursor)  // nothing is written for nil
///     writer.member("data") { $0.array { writer in for preset in presets { writer.value(preset) } } }
/// }
/// ```
package struct JSONWriter: Sendable {
    /// What has been written so far.
    package private(set) var bytes: [UInt8]
    /// Whether a value stands before the next one in the same container.
    private var needsComma = false

    /// `capacity`: bytes to make room for at once.
    package init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Writes an object as the next value; `members` writes its members.
    package mutating func object<Failure: Error>(
        _ members: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        open(UInt8(ascii: "{"))
        try members(&self)
        close(UInt8(ascii: "}"))
    }

    /// The same where nothing can fail: overloads like this one are explained at `member`.
    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "{"))
        members(&self)
        close(UInt8(ascii: "}"))
    }

    /// Writes an array as the next value; `elements` writes its elements.
    package mutating func array<Failure: Error>(
        _ elements: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        open(UInt8(ascii: "["))
        try elements(&self)
        close(UInt8(ascii: "]"))
    }

    /// The same where nothing can fail.
    package mutating func array(_ elements: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "["))
        elements(&self)
        close(UInt8(ascii: "]"))
    }

    /// Writes one member of the object that is open; nothing for nil. The key has no characters that JSON escapes.
    @_disfavoredOverload
    package mutating func member<Value: JSONWritable>(_ key: StaticString, _ value: Value?) {
        if let value { member(key) { value.write(to: &$0) } }
    }

    /// The same where the value is there. The compiler does not specialize a package's generic functions in its other modules,
    /// and finding out at run time what an optional of something is costs more than the rest of the member: hence this one
    /// and those below for the usual kinds of values, which are to be preferred.
    @_disfavoredOverload
    package mutating func member<Value: JSONWritable>(_ key: StaticString, _ value: Value) {
        self.key(key)
        value.write(to: &self)
    }

    /// The same for a string.
    package mutating func member(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        self.key(key)
        string(value)
    }

    /// The same for an integer.
    package mutating func member(_ key: StaticString, _ value: Int?) {
        guard let value else { return }
        self.key(key)
        integer(Int64(value))
    }

    /// The same for an integer of 64 bits.
    package mutating func member(_ key: StaticString, _ value: Int64?) {
        guard let value else { return }
        self.key(key)
        integer(value)
    }

    /// The same for a boolean.
    package mutating func member(_ key: StaticString, _ value: Bool?) {
        guard let value else { return }
        self.key(key)
        separate()
        append(value ? "true" : "false")
    }

    /// The same for a number as it was sent.
    package mutating func member(_ key: StaticString, _ value: JSONNumber?) {
        guard let value else { return }
        self.key(key)
        raw(value.literal)
    }

    /// Writes one member whose value `body` writes; it has to write exactly one.
    package mutating func member(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        body(&self)
    }

    /// The same where `body` may fail.
    package mutating func member<Failure: Error>(
        _ key: StaticString, _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.key(key)
        try body(&self)
    }

    /// Writes one member whose key is known at run time only; nothing for nil.
    package mutating func member<Value: JSONWritable>(named key: String, _ value: Value?) {
        if let value { member(named: key) { value.write(to: &$0) } }
    }

    /// The same where `body` writes the value.
    package mutating func member(named key: String, _ body: (inout JSONWriter) -> Void) {
        string(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
        body(&self)
    }

    /// Writes one value: an array's element, or the whole text.
    package mutating func value<Value: JSONWritable>(_ value: Value) {
        value.write(to: &self)
    }

    /// Writes `null`.
    package mutating func null() {
        separate()
        append("null")
    }

    /// Writes a string whose inside is already escaped, as `JSONScanner` found it.
    package mutating func string(escaped fragment: Span<UInt8>) {
        separate()
        fragment.withUnsafeBufferPointer { appendQuoted($0) }
    }

    /// Writes a value that is JSON already. The caller answers for its being exactly one value.
    package mutating func raw(_ json: Span<UInt8>) {
        separate()
        json.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    /// The same for a text, as a literal of a number or a stored `jsonb`.
    package mutating func raw(_ json: String) {
        separate()
        bytes.append(contentsOf: json.utf8)
    }

    /// Writes a string; only what RFC 8259 demands is escaped: the quote, the backslash and control characters.
    package mutating func string(_ text: String) {
        separate()
        text.utf8.span.withUnsafeBufferPointer { characters in
            let end = Self.endOfPlain(characters, from: 0)
            if end == characters.count { appendQuoted(characters) } else { appendEscaped(characters) }
        }
    }

    /// Writes an integer in digits.
    package mutating func integer(_ value: Int64) {
        separate()
        bytes.append(decimal: value)
    }

    /// Writes a number of thousandths, not negative, with three decimals: 1500 as `1.500`.
    package mutating func thousandths(_ value: Int64) {
        integer(value / 1000)
        let rest = value.magnitude % 1000
        bytes.append(UInt8(ascii: "."))
        for divisor: UInt64 in [100, 10, 1] { bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor % 10)) }
    }

    // MARK: Parts

    /// Comma, quotes and colon go with the key in one piece: for each piece the array is asked whether it is shared and has room.
    private mutating func key(_ key: StaticString) {
        let characters = UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        assert(Self.endOfPlain(characters, from: 0) == characters.count, "\(key) has to be escaped")
        let hasComma = needsComma
        bytes.append(addingCapacity: characters.count + 4) { output in
            if hasComma { output.append(UInt8(ascii: ",")) }
            output.append(UInt8(ascii: "\""))
            output.append(copying: characters)
            output.append(UInt8(ascii: "\""))
            output.append(UInt8(ascii: ":"))
        }
        needsComma = false
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Characters of which none has to be escaped any more.
    private mutating func appendQuoted(_ characters: UnsafeBufferPointer<UInt8>) {
        bytes.append(addingCapacity: characters.count + 2) { output in
            output.append(UInt8(ascii: "\""))
            output.append(copying: characters)
            output.append(UInt8(ascii: "\""))
        }
    }

    private mutating func appendEscaped(_ characters: UnsafeBufferPointer<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        while true {
            let end = Self.endOfPlain(characters, from: start)
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: characters[start..<end]))
            if end == characters.count { break }
            append(escapeOf: characters[end])
            start = end + 1
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Where the first character stands that has to be escaped. Eight at a time: byte by byte this was a third of what it
    /// costs to write a request for the upstream.
    private static func endOfPlain(_ characters: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let raw = UnsafeRawBufferPointer(characters)
        var index = start
        while index &+ 8 <= characters.count {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            let controls = (word &- (ones &* 0x20)) & ~word
            // A borrow can mark a byte wrongly only above one that is marked rightly, so the lowest mark is exact.
            let marks = (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | controls) & (ones &* 0x80)
            if marks != 0 { return index &+ marks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < characters.count, !mustEscape(characters[index]) { index &+= 1 }
        return index
    }

    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func append(escapeOf byte: UInt8) {
        switch byte {
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        case 0x00..<0x10:
            append("\\u000")
            bytes.append(Self.hexadecimal(byte))
        case 0x10..<0x20:
            append("\\u001")
            bytes.append(Self.hexadecimal(byte - 0x10))
        default:
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}

extension OutputSpan<UInt8> {
    @inline(__always) @_lifetime(self: copy self)
    fileprivate mutating func append(copying bytes: UnsafeBufferPointer<UInt8>) {
        withUnsafeMutableBufferPointer { room, count in
            count = room[count...].initialize(fromContentsOf: bytes)
        }
    }
}
