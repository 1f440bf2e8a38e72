/// Who is calling, once the token has been checked.
package struct Principal: Sendable, Equatable {
    /// What the token may be used for.
    package enum Purpose: Sendable, Equatable {
        /// An access token of a login session.
        case access
        /// A throw-away token for load tests.
        case load
    }

    package let userID: UserID
    /// The session the token belongs to; nil for a load-test token.
    package let sessionID: SessionID?
    /// What the token was made for.
    package let purpose: Purpose

    package init(userID: UserID, sessionID: SessionID?, purpose: Purpose) {
        self.userID = userID
        self.sessionID = sessionID
        self.purpose = purpose
    }
}
