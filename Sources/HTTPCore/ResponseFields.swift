package import HTTPTypes

/// The fields of an answer, encoded as they are added.
///
/// A stream's answer has some twenty of them, and each is written once and read by nobody here. As a collection of names and
/// values that was encoded at the end, they cost 40,000 instructions an answer; like this they cost a tenth.
///
/// Injection is ruled out: a name is a token by its type, and control characters in a value become spaces.
package struct ResponseFields: Sendable, Equatable {
    /// Whole lines, each with its CRLF.
    package private(set) var bytes: [UInt8] = []

    /// No fields.
    package init() {}

    /// Fields as their ``bytes`` were before, when they have been kept meanwhile. They are not looked at again.
    package init(lines bytes: [UInt8]) { self.bytes = bytes }

    /// Adds a field behind those that are there. Date, Connection, Content-Length and Transfer-Encoding are left out: the
    /// encoder of the head states them.
    package mutating func append(_ name: HTTPField.Name, _ value: String) {
        if Self.isEncodersOwn(name) { return }
        appendName(name)
        var value = value
        value.withUTF8 { appendValue($0) }
    }

    /// The same for a number, in digits.
    package mutating func append(_ name: HTTPField.Name, _ number: Int) {
        if Self.isEncodersOwn(name) { return }
        appendName(name)
        if number < 0 { bytes.append(0x2d) }
        ResponseEncoder.write(decimal: number) { bytes.append(contentsOf: $0) }
        endLine()
    }

    /// Adds all of `others` behind those that are there.
    package mutating func append(_ others: ResponseFields) { bytes.append(contentsOf: others.bytes) }

    /// The value of the first field of that name. Setting it puts another line in that place, or at the end where there is none;
    /// nil removes it. Costs a walk over the lines, so a field that cannot be there yet is better appended.
    package subscript(name: HTTPField.Name) -> String? {
        get {
            guard let line = firstLine(of: name) else { return nil }
            let value = bytes[(line.lowerBound + name.canonicalName.utf8.count + 2)..<(line.upperBound - 2)]
            return String(decoding: value, as: UTF8.self)
        }
        set {
            guard let line = firstLine(of: name) else {
                if let newValue { append(name, newValue) }
                return
            }
            var replacement = ResponseFields()
            if let newValue { replacement.append(name, newValue) }
            bytes.replaceSubrange(line, with: replacement.bytes)
        }
    }

    /// Whether there is a field of that name.
    package func contains(_ name: HTTPField.Name) -> Bool { firstLine(of: name) != nil }

    private mutating func appendName(_ name: HTTPField.Name) {
        // Room for all of an answer's fields at once.
        if bytes.isEmpty { bytes.reserveCapacity(768) }
        var text = name.rawName
        text.withUTF8 { bytes.append(contentsOf: $0) }
        bytes.append(0x3a)
        bytes.append(.space)
    }

    private mutating func appendValue(_ value: UnsafeBufferPointer<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: value)
        var bad = value.span.indexOfControl(from: 0, to: value.count)
        while bad < value.count {
            if value[bad] != .tab { bytes[start + bad] = .space }
            bad = value.span.indexOfControl(from: bad + 1, to: value.count)
        }
        endLine()
    }

    private mutating func endLine() {
        bytes.append(.carriageReturn)
        bytes.append(.lineFeed)
    }

    /// Where the first line of that name stands, its CRLF included.
    private func firstLine(of name: HTTPField.Name) -> Range<Int>? {
        let name = name.canonicalName.utf8
        let lines = bytes.span
        var start = 0
        while start < lines.count {
            // Every line ends with CRLF, and no value has a line feed.
            let end = (lines.firstIndex(of: .lineFeed, from: start, to: lines.count) ?? lines.count - 1) + 1
            guard start + name.count < end else {
                start = end
                continue
            }
            if FieldList.isNamed(name, ByteRange(start, start + name.count), lines), lines[start + name.count] == 0x3a {
                return start..<end
            }
            start = end
        }
        return nil
    }

    /// Whether the encoder of the head states this field itself.
    private static func isEncodersOwn(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName.utf8.count {
        case 4: name == .date
        case 10: name == .connection
        case 14: name == .contentLength
        case 17: name == .transferEncoding
        default: false
        }
    }
}

extension ResponseFields: ExpressibleByDictionaryLiteral {
    /// Fields in the order of the literal; a name may stand several times.
    package init(dictionaryLiteral elements: (HTTPField.Name, String)...) {
        for (name, value) in elements { append(name, value) }
    }
}
