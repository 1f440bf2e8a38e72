package import PlaygroundCore

/// Something that happened to an account or a session and that an operator may have to know of later. It holds no secret.
package struct AuditEvent: Sendable, Equatable {
    /// What happened. A refresh that succeeds is no event: it says nothing that its session's row does not.
    package enum Kind: String, Sendable, CaseIterable {
        case registered
        case login
        /// A refresh token came after its successor was used: somebody has a copy, and the session has ended.
        case refreshReused = "refresh_reused"
        case logout
        /// A session was ended through the list of sessions; `session` tells which.
        case sessionEnded = "session_ended"
        /// All sessions but the one that asked.
        case sessionsEnded = "sessions_ended"
        case passwordChanged = "password_changed"
        case passwordResetRequested = "password_reset_requested"
        case passwordReset = "password_reset"
        case emailChangeRequested = "email_change_requested"
        case emailChanged = "email_changed"
        case emailVerified = "email_verified"
        case keyCreated = "api_key_created"
        case keyChanged = "api_key_changed"
        case keyRevoked = "api_key_revoked"
        case identityLinked = "identity_linked"
        case identityUnlinked = "identity_unlinked"
        case dataExported = "data_exported"
        case accountCreated = "account_created"
        case accountInvited = "account_invited"
        case invitationAccepted = "invitation_accepted"
        case accountDisabled = "account_disabled"
        case accountEnabled = "account_enabled"
        case accountDeleted = "account_deleted"
        case planAssigned = "plan_assigned"
        /// The signing keys or another secret were read anew.
        case secretRotated = "secret_rotated"
    }

    /// How it ended. What did not succeed may come from anybody and any number of times: its rows are gathered.
    package enum Outcome: String, Sendable, CaseIterable {
        case succeeded
        case failed
        /// Refused before it was looked at.
        case throttled
    }

    /// Who did it.
    package enum Actor: Sendable, Hashable {
        /// Nobody who has shown who they are; or the operator, where the origin is the operator's command.
        case unknown
        /// The one it was done to.
        case subject
        case user(UserID)
    }

    /// Whose account it was done to.
    package enum Subject: Sendable, Hashable {
        /// Nobody's, or that of the session's user.
        case unnamed
        case user(UserID)
        /// Of whoever has this address. Where nobody has it a keyed hash of it is kept, and nothing else.
        case address(EmailAddress)
    }

    package var kind: Kind
    package var outcome: Outcome
    package var actor: Actor
    package var subject: Subject
    /// The session it was done to or with.
    package var session: SessionID?
    package var origin: AuditOrigin
    /// A few words of ours; never what a client sent, unless it was checked. Cut at ``detailLimit`` bytes.
    package var detail: String?

    /// Bytes that are kept of a detail.
    package static let detailLimit = 512

    /// - Parameters:
    ///   - actor: nil for the subject where it succeeded, and else for somebody unknown.
    ///   - subject: where it is left out the session's user, if there is a session.
    package init(
        _ kind: Kind, _ outcome: Outcome = .succeeded, by actor: Actor? = nil, of subject: Subject = .unnamed,
        session: SessionID? = nil, from origin: AuditOrigin, detail: String? = nil
    ) {
        self.kind = kind
        self.outcome = outcome
        self.actor = actor ?? (outcome == .succeeded ? .subject : .unknown)
        self.subject = subject
        self.session = session
        self.origin = origin
        self.detail = detail.map { $0.printable(bytes: Self.detailLimit) }
    }
}

/// Where an event came from.
package struct AuditOrigin: Sendable, Hashable {
    /// Bytes that are kept of a user agent.
    static let agentLimit = 256

    /// The address that limits go by; nil for the operator's command.
    package let address: String?
    /// What the client says that it is: without control characters, and cut.
    package let userAgent: String?
    package let requestID: RequestID?

    /// A request.
    package init(address: String, userAgent: String?, requestID: RequestID) {
        self.address = address.printable(bytes: 64)
        self.userAgent = userAgent.map { $0.printable(bytes: Self.agentLimit) }
        self.requestID = requestID
    }

    private init() { (address, userAgent, requestID) = (nil, nil, nil) }

    /// A command that an operator has run, or the server itself.
    package static let operation = AuditOrigin()

    /// What one customer of a provider has: an IPv4 address, or the /56 around an IPv6 one. Refusals are gathered by it.
    var place: String? {
        guard let address else { return nil }
        guard let parsed = IPAddress(String(address.prefix { $0 != "%" }))?.unmapped else { return "unreadable" }
        return parsed.isIPv4 ? parsed.description : parsed.network(56).description
    }
}

extension String {
    /// Without characters that a terminal or a line of a log might obey, and cut between two characters.
    fileprivate func printable(bytes limit: Int) -> String {
        var kept = UnicodeScalarView()
        var count = 0
        for scalar in unicodeScalars {
            let category = scalar.properties.generalCategory
            let isHidden =
                category == .control || category == .format || category == .lineSeparator || category == .paragraphSeparator
            let shown = isHidden ? "\u{FFFD}" : scalar
            count += UTF8.width(shown)
            if count > limit { break }
            kept.append(shown)
        }
        return String(kept)
    }
}
