package import StrictJSON

/// The id of one kind of thing: a UUID that cannot be taken for the id of another kind.
///
/// In text it is the canonical lower-case form; either case is read.
package protocol Identifier: Sendable, Hashable, LosslessStringConvertible, JSONWritable {
    init(_ uuid: UUIDBytes)
    var uuid: UUIDBytes { get }
}

extension Identifier {
    /// Reads the canonical form, upper or lower case; nil for anything else.
    package init?(_ text: String) {
        guard let uuid = UUIDBytes(text) else { return nil }
        self.init(uuid)
    }

    /// A new time-ordered id; `random` has to come from a cryptographic source.
    package static func v7(milliseconds: Int64, random: (UInt64, UInt64)) -> Self {
        Self(.v7(milliseconds: milliseconds, random: random))
    }

    /// The canonical form in lower case.
    package var description: String { uuid.description }

    package func write(to writer: inout JSONWriter) {
        let text = uuid.text
        writer.string(escaped: text.span)
    }
}

/// A person with an account.
package struct UserID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// A saved preset, unique for its owner.
package struct PresetID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// One completion: the request for it, its reservation, its stream, its usage.
package struct CompletionID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// One login, over all its tokens.
package struct SessionID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// A program's key; it is written in the key itself.
package struct APIKeyID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// One HTTP request, in answers and in the log.
package struct RequestID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// One run of the server, the owner of the reservations it makes.
package struct ProcessID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// An account at an identity provider that lets its owner into an account here.
package struct IdentityID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}
