import Glibc

/// The members of a JSON object in the order they were written; no name occurs twice.
package struct JSONObject: Sendable, Equatable {
    /// One name and its value.
    package struct Member: Sendable, Equatable {
        /// Without escapes.
        package let key: String
        /// What stands behind the colon.
        package let value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// In the order of the text.
    package private(set) var members: [Member]

    package init() {
        members = []
    }

    /// Members whose names a parser has found to differ.
    init(distinct members: [Member]) {
        self.members = members
    }

    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }
    /// The names in their order.
    package var keys: [String] { members.map(\.key) }

    /// The member of that name, byte for byte. Setting keeps a member's place, appends a new one, and removes for nil.
    /// Costs a walk over the members: meant for a few known names, not for a table.
    package subscript(key: String) -> JSONValue? {
        get { index(of: key).map { members[$0].value } }
        set {
            switch (index(of: key), newValue) {
            case (let index?, let value?): members[index] = Member(key, value)
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key, value))
            case (nil, nil): break
            }
        }
    }

    /// The place of the member of that name, byte for byte.
    package func index(of key: String) -> Int? { members.index(of: key) }
}

extension [JSONObject.Member] {
    /// The place of the member of that name, byte for byte.
    func index(of key: String) -> Int? {
        // Over a span, because an array, or a closure, would hand out a copy of each member.
        let members = span
        for index in members.indices where members[index].key.hasSameBytes(as: key) { return index }
        return nil
    }
}

extension String {
    /// Equality of JSON names. Swift's `==` takes canonically equivalent strings for equal; names are equal byte for byte.
    package func hasSameBytes(as other: String) -> Bool {
        // Most names differ in length.
        guard utf8.count == other.utf8.count else { return false }
        let (left, right) = (utf8.span, other.utf8.span)
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return memcmp(left, right, other.utf8.count) == 0
            }
        }
    }
}
