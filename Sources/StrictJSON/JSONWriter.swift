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
        value.utf8.span.withUnsafeBufferPointer { characters in
            if characters.isPlain {
                member(key, room: characters.count + 2) { Self.put(quoted: characters, at: $0) }
            } else {
                self.key(key)
                needsComma = true
                bytes.append(escaping: characters)
            }
        }
    }

    /// The same for an integer.
    package mutating func member(_ key: StaticString, _ value: Int?) {
        if let value { member(key, Int64(value)) }
    }

    /// The same for an integer of 64 bits.
    package mutating func member(_ key: StaticString, _ value: Int64?) {
        guard let value else { return }
        member(key, room: DecimalDigits.most) { DecimalDigits.put(value, at: $0) }
    }

    /// The same for a boolean.
    package mutating func member(_ key: StaticString, _ value: Bool?) {
        guard let value else { return }
        let literal: StaticString = value ? "true" : "false"
        member(key, room: literal.utf8CodeUnitCount) { Self.put(literal, at: $0) }
    }

    /// The same for a number as it was sent.
    package mutating func member(_ key: StaticString, _ value: JSONNumber?) {
        guard let value else { return }
        value.literal.utf8.span.withUnsafeBufferPointer { literal in
            member(key, room: literal.count) { Self.put(literal, at: $0) }
        }
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
        value(room: 4) { Self.put("null", at: $0) }
    }

    /// Writes a string whose inside is already escaped, as `JSONScanner` found it.
    package mutating func string(escaped fragment: Span<UInt8>) {
        fragment.withUnsafeBufferPointer { characters in
            value(room: characters.count + 2) { Self.put(quoted: characters, at: $0) }
        }
    }

    /// Writes a value that is JSON already. The caller answers for its being exactly one value.
    package mutating func raw(_ json: Span<UInt8>) {
        json.withUnsafeBufferPointer { json in value(room: json.count) { Self.put(json, at: $0) } }
    }

    /// The same for a text, as a literal of a number or a stored `jsonb`.
    package mutating func raw(_ json: String) { raw(json.utf8.span) }

    /// Writes a string; only what RFC 8259 demands is escaped: the quote, the backslash and control characters.
    package mutating func string(_ text: String) {
        text.utf8.span.withUnsafeBufferPointer { characters in
            if characters.isPlain {
                value(room: characters.count + 2) { Self.put(quoted: characters, at: $0) }
            } else {
                separate()
                bytes.append(escaping: characters)
            }
        }
    }

    /// Writes an integer in digits.
    package mutating func integer(_ value: Int64) {
        self.value(room: DecimalDigits.most) { DecimalDigits.put(value, at: $0) }
    }

    /// Writes a number of thousandths, not negative, with three decimals: 1500 as `1.500`.
    package mutating func thousandths(_ value: Int64) {
        integer(value / 1000)
        let rest = value.magnitude % 1000
        bytes.append(UInt8(ascii: "."))
        for divisor: UInt64 in [100, 10, 1] { bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor % 10)) }
    }

    // MARK: Parts

    // What can be goes in one piece, a member with its comma: for each piece the array is asked whether it is shared and has room.

    private typealias Place = UnsafeMutablePointer<UInt8>

    private mutating func key(_ key: StaticString) {
        let hasComma = needsComma
        bytes.append(atMost: Self.room(for: key)) { Self.put(key: key, hasComma, at: $0) }
        needsComma = false
    }

    /// A member whose value takes up to `room` bytes; `put` says where it ends.
    @inline(__always)
    private mutating func member(_ key: StaticString, room: Int, _ put: (Place) -> Place) {
        let hasComma = needsComma
        bytes.append(atMost: Self.room(for: key) + room) { put(Self.put(key: key, hasComma, at: $0)) }
        needsComma = true
    }

    /// The same for a value alone.
    @inline(__always)
    private mutating func value(room: Int, _ put: (Place) -> Place) {
        let hasComma = needsComma
        bytes.append(atMost: room + 1) { place in
            if hasComma { place.pointee = UInt8(ascii: ",") }
            return put(hasComma ? place + 1 : place)
        }
        needsComma = true
    }

    private static func room(for key: StaticString) -> Int { key.utf8CodeUnitCount + 4 }

    @inline(__always)
    private static func put(key: StaticString, _ hasComma: Bool, at place: Place) -> Place {
        let characters = UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        assert(characters.isPlain, "\(key) has to be escaped")
        if hasComma { place.pointee = UInt8(ascii: ",") }
        let end = put(quoted: characters, at: hasComma ? place + 1 : place)
        end.pointee = UInt8(ascii: ":")
        return end + 1
    }

    /// Characters of which none has to be escaped any more.
    @inline(__always)
    private static func put(quoted characters: UnsafeBufferPointer<UInt8>, at place: Place) -> Place {
        place.pointee = UInt8(ascii: "\"")
        let end = put(characters, at: place + 1)
        end.pointee = UInt8(ascii: "\"")
        return end + 1
    }

    @inline(__always)
    private static func put(_ text: StaticString, at place: Place) -> Place {
        put(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), at: place)
    }

    @inline(__always)
    private static func put(_ bytes: UnsafeBufferPointer<UInt8>, at place: Place) -> Place {
        if let from = bytes.baseAddress { place.update(from: from, count: bytes.count) }
        return place + bytes.count
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
}

extension [UInt8] {
    /// Appends what `put` writes: it gets the place and returns the one behind, at most `room` bytes further.
    @inline(__always)
    mutating func append(atMost room: Int, _ put: (UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8>) {
        append(addingCapacity: room) { output in
            output.withUnsafeMutableBufferPointer { bytes, count in
                guard let base = bytes.baseAddress else { return }
                count = put(base + count) - base
            }
        }
    }
}
