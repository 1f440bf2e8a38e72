/// Who is calling, once the token has been checked.
package struct Principal: Sendable, Equatable {
    /// What the token may be used for.
    package enum Purpose: Sendable, Equatable {
        /// An access token of a login session.
        case access
        /// A throw-away token for load tests.
        case load
        /// A program's key.
        case key(APIKeyGrant)
    }

    package let userID: UserID
    /// The session the token belongs to; nil for a load-test token and for a key.
    package let sessionID: SessionID?
    /// What the token was made for.
    package let purpose: Purpose

    package init(userID: UserID, sessionID: SessionID?, purpose: Purpose) {
        self.userID = userID
        self.sessionID = sessionID
        self.purpose = purpose
    }

    /// The key that was shown; nil for anything else.
    package var key: APIKeyGrant? { if case .key(let grant) = purpose { grant } else { nil } }

    /// What has to be alive for the principal's streams to go on: the session, or the key, whose id never is a session's too.
    package var lifeline: SessionID? { sessionID ?? key.map { SessionID($0.id.uuid) } }
}
