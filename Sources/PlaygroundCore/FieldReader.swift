package import StrictJSON

/// Reads the fields of one JSON object of a request, and keeps what is wrong with all of them instead of stopping at the first.
///
/// Each typed read returns nil (or a stand-in, for required fields) where the field is absent or bad; a bad one is noted.
/// `finish` then throws every note at once, together with the members nobody asked for. Absent, `null`, `[]` and `{}` mean the
/// same.
///
/// ```
/// var reader = try FieldReader(body: bytes)
/// let email = reader.requiredString("email", characters: 3...254)
/// let remember = reader.bool("remember")
/// try reader.finish()  // from here on `email` is good
/// ```
package struct FieldReader {
    private let object: JSONObject
    /// Bit n: a member's name has n bytes, or at least 63. Most fields that are asked for are absent, and this tells most of them.
    private let lengths: UInt64
    /// What stands in front of a field's name in `param`: empty, or `params.`.
    private let path: String
    /// One for each member.
    private var marks: [Mark]
    private var errors = FieldErrors()

    private struct Mark {
        /// Bytes of its name, which tell most apart.
        let length: Int
        /// Whether it was read or may be there unread.
        var isKnown: Bool
    }

    /// - Parameters:
    ///   - path: what stands in front of a field's name in `param`.
    ///   - readOnly: names that may be sent back and mean nothing.
    package init(_ object: JSONObject, path: String = "", ignoring readOnly: Set<String> = []) {
        self.object = object
        self.path = path
        var lengths: UInt64 = 0
        marks = []
        marks.reserveCapacity(object.count)
        for member in object.members {
            let length = member.key.utf8.count
            lengths |= Self.bit(length)
            marks.append(Mark(length: length, isKnown: readOnly.contains(member.key)))
        }
        self.lengths = lengths
    }

    /// Throws `invalid_request` unless the value is an object.
    package init(_ value: JSONValue, ignoring readOnly: Set<String> = []) throws(ServiceError) {
        guard let object = value.object else {
            throw ServiceError(.invalidRequest, "The body has to be a JSON object, but is \(value.kind.name)")
        }
        self.init(object, ignoring: readOnly)
    }

    /// Parses a body first: `invalid_json` where it is none.
    package init(body: Span<UInt8>, ignoring readOnly: Set<String> = []) throws(ServiceError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body)
        } catch {
            throw ServiceError(error)
        }
        try self.init(value, ignoring: readOnly)
    }

    /// The same for an array of bytes.
    package init(body: [UInt8], ignoring readOnly: Set<String> = []) throws(ServiceError) {
        try self.init(body: body.span, ignoring: readOnly)
    }

    // MARK: Reads

    /// Whether the field is there with a value that means something. Does not count as reading it.
    package func contains(_ name: String) -> Bool {
        index(of: name).map { !object.members[$0].value.meansAbsent } ?? false
    }

    /// The field's value, whatever its type; nil where it is absent, `null`, `[]` or `{}`.
    package mutating func value(_ name: String) -> JSONValue? {
        guard let index = index(of: name) else { return nil }
        marks[index].isKnown = true
        let value = object.members[index].value
        return value.meansAbsent ? nil : value
    }

    /// A string; `characters` counts Unicode scalars, as JSON Schema does, `bytes` is the most its UTF-8 may take.
    package mutating func string(_ name: String, characters: ClosedRange<Int>? = nil, bytes: Int? = nil) -> String? {
        guard let value = value(name) else { return nil }
        return string(value, name, characters: characters, bytes: bytes)
    }

    /// A string that has to be there; "" where it is not, which is noted.
    package mutating func requiredString(_ name: String, characters: ClosedRange<Int>? = nil, bytes: Int? = nil) -> String {
        guard let value = value(name) else {
            require(name)
            return ""
        }
        return string(value, name, characters: characters, bytes: bytes) ?? ""
    }

    /// An integer written in digits: `1.0` and `1e2` are the wrong type.
    package mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let number = value.number, number.isWrittenInDigits else {
            let isNumber = value.kind == .number
            note(name, .wrongType, "has to be an integer written in digits, but is \(isNumber ? "not" : value.kind.name)")
            return nil
        }
        guard let integer = number.integer, range.contains(integer) else {
            note(name, .outOfRange, "has to be \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    /// A number, as its sender wrote it.
    package mutating func number(_ name: String, in range: ClosedRange<Double>) -> JSONNumber? {
        guard let value = value(name) else { return nil }
        return number(value, name, in: range)
    }

    /// `true` or `false`.
    package mutating func bool(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let bool = value.bool else {
            noteWrongType(name, value, expected: "a boolean")
            return nil
        }
        return bool
    }

    /// A UUID in its canonical form, upper or lower case.
    package mutating func identifier<ID: Identifier>(_ name: String, as type: ID.Type = ID.self) -> ID? {
        guard let text = string(name) else { return nil }
        guard let identifier = ID(text) else {
            note(name, .invalidValue, "has to be a UUID")
            return nil
        }
        return identifier
    }

    /// An array of strings; a bare string counts as an array of one. Bad elements are named: `stop.1`.
    package mutating func strings(
        _ name: String, atMost count: Int, characters: ClosedRange<Int>? = nil, bytes: Int? = nil
    ) -> [String] {
        guard let value = value(name) else { return [] }
        guard let elements = value.array else {
            guard value.string != nil else {
                noteWrongType(name, value, expected: "an array of strings")
                return []
            }
            return string(value, name, characters: characters, bytes: bytes).map { [$0] } ?? []
        }
        guard elements.count <= count else {
            note(name, .tooLong, "may have at most \(count) elements")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            string(element, "\(name).\(index)", at: name, characters: characters, bytes: bytes)
        }
    }

    /// An object of numbers whose names `isName` accepts. Bad members are named: `logit_bias.50256`.
    package mutating func numbers(
        _ name: String, atMost count: Int, in range: ClosedRange<Double>, named expected: String, isName: (String) -> Bool
    ) -> JSONObject? {
        guard let value = value(name) else { return nil }
        guard let object = value.object else {
            noteWrongType(name, value, expected: "an object")
            return nil
        }
        guard object.count <= count else {
            note(name, .tooLong, "may have at most \(count) members")
            return nil
        }
        for member in object.members {
            let place = "\(name).\(Self.shortened(member.key))"
            if !isName(member.key) {
                note(place, at: name, .invalidValue, "has to be named by \(expected)")
            } else {
                _ = number(member.value, place, at: name, in: range)
            }
        }
        return object
    }

    /// An object with fields of its own, read by `body` and finished after it; nil where it is absent or no object.
    package mutating func fields<Value>(_ name: String, _ body: (inout FieldReader) -> Value) -> Value? {
        guard let value = value(name) else { return nil }
        guard let object = value.object else {
            noteWrongType(name, value, expected: "an object")
            return nil
        }
        var reader = FieldReader(object, path: path + name + ".")
        let result = body(&reader)
        for error in reader.allErrors() { errors.append(error, position: position(of: name)) }
        return result
    }

    // MARK: Notes

    /// Notes a bad field; `phrase` goes on from its name: "has to be a UUID". For a field read as `value(_:)`.
    package mutating func note(_ name: String, _ code: ErrorCode, _ phrase: String) {
        note(name, at: name, code, phrase)
    }

    /// Notes that the field is required, unless it is there.
    package mutating func require(_ name: String) {
        if !contains(name) { note(name, .required, "is required") }
    }

    /// Throws what is wrong with any field, the ones nobody read included.
    package mutating func finish() throws(ServiceError) {
        let found = allErrors()
        guard found.isEmpty else { throw ServiceError(fields: found) }
    }

    private mutating func allErrors() -> [FieldError] {
        for (index, member) in object.members.enumerated() where !marks[index].isKnown {
            guard !errors.isFull else { break }
            marks[index].isKnown = true
            let name = path + Self.shortened(member.key)
            errors.append(FieldError(name, .unknownParameter, "\(name) is not a field of this request"), position: index)
        }
        return errors.inOrder
    }

    private mutating func note(_ place: String, at name: String, _ code: ErrorCode, _ phrase: String) {
        errors.append(FieldError(path + place, code, "\(path)\(place) \(phrase)"), position: position(of: name))
    }

    private mutating func noteWrongType(_ name: String, _ value: JSONValue, expected: String) {
        note(name, .wrongType, "has to be \(expected), but is \(value.kind.name)")
    }

    /// Where a field stands in the body; past its end where it is missing.
    private func position(of name: String) -> Int {
        index(of: name) ?? object.count
    }

    private func index(of name: String) -> Int? {
        let length = name.utf8.count
        if lengths & Self.bit(length) == 0 { return nil }
        for index in marks.indices where marks[index].length == length {
            if object.members[index].key.hasSameBytes(as: name) { return index }
        }
        return nil
    }

    private static func bit(_ length: Int) -> UInt64 { 1 << min(63, length) }

    // MARK: Values

    /// A field's or an element's value as a string.
    mutating func string(
        _ value: JSONValue, _ place: String, at name: String? = nil, characters: ClosedRange<Int>? = nil, bytes: Int?
    ) -> String? {
        let name = name ?? place
        guard let string = value.string else {
            note(place, at: name, .wrongType, "has to be a string, but is \(value.kind.name)")
            return nil
        }
        if let bytes, string.utf8.count > bytes {
            note(place, at: name, .tooLong, "may have at most \(bytes) bytes")
            return nil
        }
        guard let characters else { return string }
        let count = string.unicodeScalars.count
        if count < characters.lowerBound {
            let isOne = characters.lowerBound == 1
            note(place, at: name, .tooShort, isOne ? "is empty" : "has to have at least \(characters.lowerBound) characters")
            return nil
        }
        if count > characters.upperBound {
            note(place, at: name, .tooLong, "may have at most \(characters.upperBound) characters")
            return nil
        }
        return string
    }

    private mutating func number(
        _ value: JSONValue, _ place: String, at name: String? = nil, in range: ClosedRange<Double>
    ) -> JSONNumber? {
        let name = name ?? place
        guard let number = value.number else {
            note(place, at: name, .wrongType, "has to be a number, but is \(value.kind.name)")
            return nil
        }
        guard let double = number.double, range.contains(double) else {
            note(place, at: name, .outOfRange, "has to be \(range.lowerBound.jsonText) to \(range.upperBound.jsonText)")
            return nil
        }
        return number
    }

    /// A member's name for `param`, bounded: it comes from outside.
    private static func shortened(_ name: String) -> String {
        let most = 64
        guard name.unicodeScalars.count > most else { return name }
        return String(String.UnicodeScalarView(name.unicodeScalars.prefix(most))) + "…"
    }
}

extension JSONValue {
    /// For a request's field absent, `null`, `[]` and `{}` mean the same.
    fileprivate var meansAbsent: Bool {
        switch self {
        case .null: true
        case .array(let elements): elements.isEmpty
        case .object(let object): object.isEmpty
        default: false
        }
    }
}
