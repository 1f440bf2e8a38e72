/// A JSON value as sent: numbers keep their literal, strings are decoded, object members keep their order.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Reads one JSON text by the strict rules: RFC 8259 in UTF-8 without byte order mark, no name twice in one object, no
    /// lone surrogate escape, no `\u0000` unless the limits allow it, nothing after the value. Time and memory are linear
    /// in the text's length.
    package init(parsing bytes: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var scanner = JSONScanner(bytes, limits: limits)
        self = try scanner.value()
        try scanner.finish()
    }

    /// The same for an array of bytes.
    package init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: bytes.span, limits: limits)
    }

    /// The same for a string (a preset's stored parameters, a test).
    package init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    package var kind: JSONKind {
        switch self {
        case .null: .null
        case .bool: .bool
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    /// The object's members; nil for every other kind.
    package var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The array's elements; nil for every other kind.
    package var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The string; nil for every other kind.
    package var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The number; nil for every other kind.
    package var number: JSONNumber? {
        if case .number(let number) = self { number } else { nil }
    }

    /// The boolean; nil for every other kind.
    package var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }
}

extension JSONScanner {
    /// Takes the next value whole. Recursion is bounded by the depth limit, which the scanner keeps.
    mutating func value() throws(JSONError) -> JSONValue {
        switch try kind() {
        case .null:
            try null()
            return .null
        case .bool: return .bool(try bool())
        case .number:
            let range = try number()
            return .number(JSONNumber(checked: String(checked: bytes.extracting(range))))
        case .string: return .string(try text(of: string()))
        case .array:
            try enterArray()
            var elements: [JSONValue] = []
            while try nextElement() { elements.append(try value()) }
            return .array(elements)
        case .object:
            try enterObject()
            var members: [JSONObject.Member] = []
            // A request's fields: an array that grows up to them costs as much as they do.
            if depth == 1 { members.reserveCapacity(8) }
            var names = DistinctNames()
            while let key = try nextKey() {
                let name = try text(of: key)
                guard names.insert(name, into: members) else { throw JSONError(.duplicateKey, at: key.range.lowerBound) }
                members.append(JSONObject.Member(name, try value()))
            }
            return .object(JSONObject(distinct: members))
        }
    }
}

/// Tells whether a name repeats: by looking at each while there are few, by a set above that, so that an object of ten
/// thousand members does not cost ten thousand squared.
private struct DistinctNames {
    private var set: Set<Name> = []
    /// Bit n: a name has n bytes, or at least 63. Most differ in length.
    private var lengths: UInt64 = 0
    private static let few = 8

    /// Whether `name` is new among `members`, the ones before it.
    mutating func insert(_ name: String, into members: [JSONObject.Member]) -> Bool {
        guard members.count >= Self.few else {
            let length: UInt64 = 1 << min(63, name.utf8.count)
            defer { lengths |= length }
            return lengths & length == 0 || members.index(of: name) == nil
        }
        if set.isEmpty { set = Set(members.map { Name(text: $0.key) }) }
        return set.insert(Name(text: name)).inserted
    }

    /// A string that is equal byte for byte, not by canonical equivalence; hashed with the process's random seed.
    private struct Name: Hashable {
        let text: String

        static func == (left: Name, right: Name) -> Bool { left.text.hasSameBytes(as: right.text) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }
}
