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
        append(name, value.utf8.span)
    }

    /// The same for a value that is no string.
    package mutating func append(_ name: HTTPField.Name, _ value: Span<UInt8>) {
        value.withUnsafeBufferPointer { append(name, $0) }
    }

    /// The same for a number, in digits.
    package mutating func append(_ name: HTTPField.Name, _ number: Int) {
        if number < 0 { return append(name, String(number)) }
        ResponseEncoder.write(decimal: number) { append(name, $0) }
    }

    /// Adds all of `others` behind those that are there.
    package mutating func append(_ others: ResponseFields) {
        makeRoom()
        bytes.append(contentsOf: others.bytes)
    }

    /// The value of the first field of that name. Setting it takes that line out, and puts another one behind all others unless it
    /// is set to nil. Costs a walk over the lines, so a field that cannot be there yet is better appended.
    package subscript(name: HTTPField.Name) -> String? {
        get {
            guard let line = firstLine(of: name) else { return nil }
            let value = bytes[(line.lowerBound + name.canonicalName.utf8.count + 2)..<(line.upperBound - 2)]
            return String(decoding: value, as: UTF8.self)
        }
        set {
            if let line = firstLine(of: name) { bytes.removeSubrange(line) }
            if let newValue { append(name, newValue) }
        }
    }

    /// Whether there is a field of that name.
    package func contains(_ name: HTTPField.Name) -> Bool { firstLine(of: name) != nil }

    private mutating func append(_ name: HTTPField.Name, _ value: UnsafeBufferPointer<UInt8>) {
        if Self.isEncodersOwn(name) { return }
        makeRoom()
        name.rawName.utf8.span.withUnsafeBufferPointer { name in
            // In one piece: for each the array is asked whether it is shared and has room.
            bytes.append(addingCapacity: name.count + value.count + 4) { line in
                line.append(copying: name)
                line.append(0x3a)
                line.append(.space)
                line.append(copying: value)
                line.append(.carriageReturn)
                line.append(.lineFeed)
            }
        }
        let start = bytes.count - 2 - value.count
        var bad = value.span.indexOfControl(from: 0, to: value.count)
        while bad < value.count {
            if value[bad] != .tab { bytes[start + bad] = .space }
            bad = value.span.indexOfControl(from: bad + 1, to: value.count)
        }
    }

    /// Room for all of an answer's fields at once.
    private mutating func makeRoom() {
        if bytes.isEmpty { bytes.reserveCapacity(768) }
    }

    /// Where the first line of that name stands, its CRLF included.
    private func firstLine(of name: HTTPField.Name) -> Range<Int>? {
        let lines = bytes.span
        return name.canonicalName.utf8.span.withUnsafeBufferPointer { name in
            var start = 0
            while start < lines.count {
                // Every line ends with CRLF, and no value has a line feed.
                let end = (lines.firstIndex(of: .lineFeed, from: start, to: lines.count) ?? lines.count - 1) + 1
                let colon = start + name.count
                if colon < end, lines[colon] == 0x3a, FieldList.isNamed(name, ByteRange(start, colon), lines) {
                    return start..<end
                }
                start = end
            }
            return nil
        }
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

extension OutputSpan<UInt8> {
    @inline(__always) @_lifetime(self: copy self)
    fileprivate mutating func append(copying bytes: UnsafeBufferPointer<UInt8>) {
        withUnsafeMutableBufferPointer { room, count in
            count = room[count...].initialize(fromContentsOf: bytes)
        }
    }
}
