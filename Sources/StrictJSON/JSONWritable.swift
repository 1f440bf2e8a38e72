/// What can be written as one JSON value.
package protocol JSONWritable {
    /// Writes exactly one value.
    func write(to writer: inout JSONWriter)
}

extension JSONWritable {
    /// This value alone as a JSON text.
    package var jsonBytes: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    /// The same as a string.
    package var jsonText: String { String(decoding: jsonBytes, as: UTF8.self) }
}

extension String: JSONWritable {
    package func write(to writer: inout JSONWriter) { writer.string(self) }
}

extension Bool: JSONWritable {
    package func write(to writer: inout JSONWriter) { writer.raw(self ? "true" : "false") }
}

extension Int: JSONWritable {
    package func write(to writer: inout JSONWriter) { writer.integer(Int64(self)) }
}

extension Int64: JSONWritable {
    package func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Double: JSONWritable {
    /// The shortest literal that reads back the same; `null` for infinities and NaN, which JSON lacks.
    package func write(to writer: inout JSONWriter) {
        if let number = JSONNumber(self) { number.write(to: &writer) } else { writer.null() }
    }
}

extension JSONNumber: JSONWritable {
    /// The literal as it was sent.
    package func write(to writer: inout JSONWriter) { writer.raw(literal) }
}

extension Array: JSONWritable where Element: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.array { writer in for element in self { writer.value(element) } }
    }
}

extension JSONObject: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in for member in members { writer.member(named: member.key, member.value) } }
    }
}

extension JSONValue: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let bool): writer.value(bool)
        case .number(let number): writer.value(number)
        case .string(let string): writer.string(string)
        case .array(let elements): writer.value(elements)
        case .object(let object): writer.value(object)
        }
    }
}
