/// What follows the method: ranges over the head's bytes. Whoever holds one knows that its bytes follow the grammar.
package struct RequestTarget: Sendable, Equatable {
    /// The forms of RFC 9112 3.2 that are accepted. The authority form belongs to CONNECT, which is not served.
    package enum Form: Sendable, Equatable {
        case origin
        case absolute
        case asterisk
    }

    /// Which form was sent.
    package var form: Form
    /// The target as sent.
    package var whole: ByteRange
    /// From the first `/` up to the query. Empty for `*`, and for an absolute target without a path.
    package var path: ByteRange
    /// What follows the first `?`; nil where there is none.
    package var query: ByteRange?
    /// Host and port of an absolute target. They take precedence over Host (RFC 9112 3.2.2).
    package var authority: ByteRange?
}

extension RequestTarget {
    /// The path split at `/` and then percent-decoded, so that an encoded slash stays inside its segment.
    ///
    /// `/` is the empty list; `/a/` is `a` and an empty segment. Dot segments are names like any other.
    /// - Throws: `.invalidTarget` where a segment is not UTF-8.
    package func pathSegments(in bytes: Span<UInt8>) throws(HTTPParseError) -> [String] {
        guard path.count > 1 else { return [] }
        var segments: [String] = []
        var start = Int(path.start) + 1
        let end = Int(path.end)
        while true {
            let slash = bytes.firstIndex(of: 0x2f, from: start, to: end) ?? end
            segments.append(try PercentEncoding.decode(start, slash, bytes, plusIsSpace: false))
            if slash == end { return segments }
            start = slash + 1
        }
    }

    /// The query's items in order, decoded; `+` stands for a space. Empty items (`a&&b`) are left out.
    /// - Throws: `.invalidTarget` where a name or value is not UTF-8.
    package func queryItems(in bytes: Span<UInt8>) throws(HTTPParseError) -> [QueryItem] {
        guard let query else { return [] }
        return try QueryItem.items(from: Int(query.start), to: Int(query.end), of: bytes)
    }
}

/// One `name=value` of a query, decoded. Without `=` the value is empty.
package struct QueryItem: Sendable, Equatable {
    /// Before the first `=`.
    package var name: String
    /// Behind it.
    package var value: String

    /// An item, decoded already.
    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// The items of a query, or of a form that a browser posts (`application/x-www-form-urlencoded`), as ``RequestTarget/queryItems(in:)``
    /// has them.
    package static func items(of bytes: Span<UInt8>) throws(HTTPParseError) -> [QueryItem] {
        try items(from: 0, to: bytes.count, of: bytes)
    }

    static func items(from start: Int, to end: Int, of bytes: Span<UInt8>) throws(HTTPParseError) -> [QueryItem] {
        var items: [QueryItem] = []
        var start = start
        while start < end {
            let itemEnd = bytes.firstIndex(of: 0x26, from: start, to: end) ?? end
            if itemEnd > start {
                let equals = bytes.firstIndex(of: 0x3d, from: start, to: itemEnd)
                let name = try PercentEncoding.decode(start, equals ?? itemEnd, bytes, plusIsSpace: true)
                let valueStart = equals.map { $0 + 1 } ?? itemEnd
                items.append(
                    QueryItem(name: name, value: try PercentEncoding.decode(valueStart, itemEnd, bytes, plusIsSpace: true)))
            }
            start = itemEnd + 1
        }
        return items
    }
}
