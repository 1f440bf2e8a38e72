package import HTTPTypes

/// One field line: its name and its value without the white space around it.
package struct Field: Sendable, Equatable {
    /// A token, as sent.
    package var name: ByteRange
    /// Visible ASCII, obs-text, SP and HTAB; may be empty.
    package var value: ByteRange
}

/// The field lines of one head in the order they came, as ranges over the head's bytes.
package struct FieldList: Sendable, Equatable {
    /// All lines.
    package internal(set) var lines: [Field] = []

    /// Number of lines.
    package var count: Int { lines.count }

    /// The first line named `name`, letters compared without case.
    package func first(_ name: HTTPField.Name, in bytes: Span<UInt8>) -> ByteRange? {
        name.canonicalName.utf8.span.withUnsafeBufferPointer { wanted in
            for line in lines where Self.isNamed(wanted, line.name, bytes) { return line.value }
            return nil
        }
    }

    /// The first line named `name`, and whether there is another one.
    package func only(_ name: HTTPField.Name, in bytes: Span<UInt8>) -> (first: ByteRange?, isRepeated: Bool) {
        name.canonicalName.utf8.span.withUnsafeBufferPointer { wanted in
            var first: ByteRange?
            for line in lines where Self.isNamed(wanted, line.name, bytes) {
                if first != nil { return (first, true) }
                first = line.value
            }
            return (first, false)
        }
    }

    /// Every line named `name`, so that the caller can tell a repeated field.
    package func all(_ name: HTTPField.Name, in bytes: Span<UInt8>) -> [ByteRange] {
        name.canonicalName.utf8.span.withUnsafeBufferPointer { wanted in
            lines.filter { Self.isNamed(wanted, $0.name, bytes) }.map(\.value)
        }
    }

    /// The first value of `name` as text; nil where the field is absent.
    package func value(of name: HTTPField.Name, in bytes: Span<UInt8>) -> String? {
        first(name, in: bytes)?.string(in: bytes)
    }

    /// All values of `name` as text, in order.
    package func values(of name: HTTPField.Name, in bytes: Span<UInt8>) -> [String] {
        all(name, in: bytes).map { $0.string(in: bytes) }
    }

    /// Whether the bytes in the range, which lie inside of `bytes` if they are as many, are those of a lower-case name.
    @inline(__always)
    static func isNamed(_ wanted: UnsafeBufferPointer<UInt8>, _ name: ByteRange, _ bytes: Span<UInt8>) -> Bool {
        // Most names differ in length.
        guard wanted.count == name.count else { return false }
        let name = bytes.extracting(name.bounds)
        for index in name.indices {
            var byte = name[unchecked: index]
            if byte &- 0x41 < 26 { byte |= 0x20 }
            if byte != wanted[index] { return false }
        }
        return true
    }
}
