package import PlaygroundCore

/// One request under a key, as often as it may come.
package struct IdempotentRequest: Sendable, Equatable {
    /// Keys are each user's own.
    package let owner: UserID
    /// Method and path pattern: the same key on another route names another request.
    package let route: String
    package let key: IdempotencyKey
    /// Of the body. Nothing else of the body is kept.
    package let digest: SHA256Digest

    package init(owner: UserID, route: String, key: IdempotencyKey, digest: SHA256Digest) {
        self.owner = owner
        self.route = route
        self.key = key
        self.digest = digest
    }
}

/// One of the times that such a request came and was to be answered.
package struct AttemptID: Identifier {
    package let uuid: UUIDBytes
    package init(_ uuid: UUIDBytes) { self.uuid = uuid }
}

/// The right to answer a request: nobody else is at it, for the length of ``IdempotencyStore/lease``.
package struct IdempotencyClaim: Sendable, Equatable {
    package let request: IdempotentRequest
    package let attempt: AttemptID
    /// The id that what is created has to get. An earlier attempt may have created it already, and have told nobody.
    package let resourceID: UUIDBytes
}

/// An answer as it is kept: given again, it is the same to the byte.
package struct StoredAnswer: Sendable, Equatable {
    /// The HTTP status.
    package let status: Int
    /// The header lines that belong to the answer, as they are sent. What belongs to a request (its id, say) is not among them.
    package let fields: [UInt8]
    package let body: [UInt8]

    package init(status: Int, fields: [UInt8], body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}
