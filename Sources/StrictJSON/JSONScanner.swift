/// Walks one JSON text without copying it: RFC 8259's grammar, strict UTF-8, bounded depth and number literals.
///
/// A pull interface: enter a container, ask for its keys or elements one by one, and for each take the value or skip
/// it. Skipped values are checked as thoroughly as taken ones. What escapes mean (`\u0000`, lone surrogates) and whether
/// a name repeats is left to whoever gives the text a meaning: `JSONValue` refuses both, a relay passes strings on raw.
///
/// ```
/// try scanner.enterObject()
/// while let key = try scanner.nextKey() {
///     if scanner.matches(key, "text") { text = try scanner.string() } else { try scanner.skipValue() }
/// }
/// try scanner.finish()
/// ```
///
/// The scanner and what it gives out are public although nothing leaves the package: the compiler inlines public functions
/// into other modules and package ones not (Swift 6.3), and a call of `matches` for every name is a fifth of what scanning
/// an event costs.
public struct JSONScanner: ~Escapable {
    @usableFromInline let bytes: Span<UInt8>
    /// The next byte to be looked at, from the start of the text.
    public internal(set) var offset: Int
    let limits: JSONLimits
    /// How many containers are open.
    private(set) var depth = 0
    /// One bit for each open container, the innermost lowest: set for an object.
    private var objects: UInt64 = 0
    /// Whether the innermost container was just entered, so that no comma may come.
    private var isFresh = false

    @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>, limits: JSONLimits = JSONLimits()) {
        self.bytes = bytes
        self.limits = limits
        offset = 0
    }

    /// The kind of the value that comes next; takes white space only.
    public mutating func kind() throws(JSONError) -> JSONKind {
        switch try next() {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw noValue()
        }
    }

    /// Takes `{`.
    public mutating func enterObject() throws(JSONError) {
        try take(UInt8(ascii: "{"))
        try enter(isObject: true)
    }

    /// The next member's name, leaving its value next; nil once `}` is taken. Every value has to be taken or skipped first.
    public mutating func nextKey() throws(JSONError) -> JSONStringToken? {
        guard try !leaves(at: UInt8(ascii: "}")) else { return nil }
        guard try next() == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: offset) }
        let key = try stringAtQuote()
        try take(UInt8(ascii: ":"))
        return key
    }

    /// Takes `[`.
    public mutating func enterArray() throws(JSONError) {
        try take(UInt8(ascii: "["))
        try enter(isObject: false)
    }

    /// Whether another element comes; false once `]` is taken. Every element has to be taken or skipped first.
    public mutating func nextElement() throws(JSONError) -> Bool {
        try !leaves(at: UInt8(ascii: "]"))
    }

    /// Takes `true` or `false`.
    public mutating func bool() throws(JSONError) -> Bool {
        let isTrue = try next() == UInt8(ascii: "t")
        try isTrue ? take("true") : take("false")
        return isTrue
    }

    /// Takes `null`.
    public mutating func null() throws(JSONError) {
        _ = try next()
        try take("null")
    }

    /// Takes whatever value comes next, checking all of it.
    public mutating func skipValue() throws(JSONError) {
        let outside = depth
        while true {
            switch try next() {
            case UInt8(ascii: "\""): _ = try stringAtQuote()
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = try number()
            case UInt8(ascii: "n"): try take("null")
            case UInt8(ascii: "t"): try take("true")
            case UInt8(ascii: "f"): try take("false")
            case UInt8(ascii: "{"): try enterObject()
            case UInt8(ascii: "["): try enterArray()
            default: throw noValue()
            }
            // Close what ends here; another value of a container entered on the way starts over.
            while depth > outside {
                let isObject = objects & 1 == 1
                if try isObject ? nextKey() != nil : nextElement() { break }
            }
            if depth == outside { return }
        }
    }

    /// Checks that only white space is left.
    public mutating func finish() throws(JSONError) {
        skipSpace()
        guard offset == bytes.count else { throw JSONError(.trailingBytes, at: offset) }
    }

    // MARK: Parts

    /// Why no value begins here.
    private func noValue() -> JSONError {
        let startsWithMark = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
        return JSONError(offset == 0 && startsWithMark ? .byteOrderMark : .unexpectedByte, at: offset)
    }

    /// The next byte that is no white space, not taken.
    @inline(__always)
    mutating func next() throws(JSONError) -> UInt8 {
        skipSpace()
        guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
        return bytes[unchecked: offset]
    }

    @inline(__always)
    private mutating func skipSpace() {
        while offset < bytes.count, case let byte = bytes[unchecked: offset], byte <= 0x20 {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            offset &+= 1
        }
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8) throws(JSONError) {
        guard try next() == byte else { throw JSONError(.unexpectedByte, at: offset) }
        offset &+= 1
    }

    @inline(__always)
    private mutating func take(_ literal: StaticString) throws(JSONError) {
        for index in 0..<literal.utf8CodeUnitCount {
            guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
            guard bytes[unchecked: offset] == literal.utf8Start[index] else { throw JSONError(.unexpectedByte, at: offset) }
            offset &+= 1
        }
    }

    @inline(__always)
    private mutating func enter(isObject: Bool) throws(JSONError) {
        guard depth < limits.depth else { throw JSONError(.tooDeep, at: offset &- 1) }
        depth &+= 1
        objects = objects &<< 1 | (isObject ? 1 : 0)
        isFresh = true
    }

    /// Takes the container's end and says true, or takes the comma that a further member needs.
    @inline(__always)
    private mutating func leaves(at end: UInt8) throws(JSONError) -> Bool {
        let byte = try next()
        if byte == end {
            offset &+= 1
            depth &-= 1
            objects &>>= 1
            isFresh = false
            return true
        }
        if isFresh {
            isFresh = false
        } else {
            guard byte == UInt8(ascii: ",") else { throw JSONError(.unexpectedByte, at: offset) }
            offset &+= 1
        }
        return false
    }
}

/// The kinds of JSON values.
public enum JSONKind: Sendable, Equatable {
    case null, bool, number, string, array, object

    /// The kind with its article, for error texts: "a string".
    public var name: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
