/// Where the next page of a list begins: after this item, newest first. Opaque to clients.
package struct Cursor: Sendable, Hashable {
    /// Of the last item of the page before.
    package let createdAt: Timestamp
    /// Of the same item: it orders what was made in one microsecond.
    package let id: UUIDBytes

    package init(createdAt: Timestamp, id: UUIDBytes) {
        self.createdAt = createdAt
        self.id = id
    }
}

extension Cursor: LosslessStringConvertible {
    /// Reads what `description` wrote; nil for anything else.
    package init?(_ text: String) {
        // The length comes first: a long text is not worth decoding.
        guard text.utf8.count == 32, let bytes = Base64.url.decode(text.utf8), bytes.count == 24 else { return nil }
        let word = { (start: Int) in bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        createdAt = Timestamp(microseconds: Int64(bitPattern: word(0)))
        id = UUIDBytes(high: word(8), low: word(16))
    }

    /// 24 bytes, the microseconds since 1970 and the id, as 32 characters of base64url.
    package var description: String {
        let words = [UInt64(bitPattern: createdAt.microseconds), id.high, id.low]
        return Base64.url.encode(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } })
    }
}

extension Cursor {
    /// Moments that the database can hold, in microseconds: up to the end of the year 9999.
    package static let moments: ClosedRange<Int64> = 0...253_402_300_799_999_999
}

/// Which part of a list a client asks for.
package struct PageRequest: Sendable, Equatable {
    /// Items a page.
    package static let limits: ClosedRange<Int> = 1...200
    /// Of a request that names no limit.
    package static let defaultLimit = 50

    /// The most items the page may have.
    package let limit: Int
    /// Where it begins; nil for the newest item.
    package let cursor: Cursor?

    /// A `limit` outside `limits` becomes the nearest inside.
    package init(limit: Int = PageRequest.defaultLimit, cursor: Cursor? = nil) {
        self.limit = min(max(limit, Self.limits.lowerBound), Self.limits.upperBound)
        self.cursor = cursor
    }

    /// Reads the query items `limit` and `cursor` as they came, nil where absent: throws `invalid_request` for the one,
    /// `invalid_cursor` for the other.
    package init(limit: String?, cursor: String?) throws(ServiceError) {
        self.limit = try Self.limit(limit)
        if let cursor {
            guard let decoded = Cursor(cursor) else { throw ServiceError(.invalidCursor) }
            self.cursor = decoded
        } else {
            self.cursor = nil
        }
    }

    /// Reads the query item `limit`, nil where absent: throws `invalid_request`.
    package static func limit(_ text: String?) throws(ServiceError) -> Int {
        guard let text else { return defaultLimit }
        let isShortNumber = (1...4).contains(text.utf8.count) && text.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
        guard isShortNumber, let number = Int(text), limits.contains(number) else {
            let range = "\(limits.lowerBound) to \(limits.upperBound)"
            throw ServiceError(fields: [FieldError("limit", .outOfRange, "limit has to be an integer, \(range)")])
        }
        return number
    }
}

/// One page of a list.
package struct Page<Item: Sendable>: Sendable {
    /// In the order of the list.
    package let items: [Item]
    /// Where the next page begins; nil where this is the last.
    package let next: Cursor?

    package init(items: [Item], next: Cursor?) {
        self.items = items
        self.next = next
    }
}
