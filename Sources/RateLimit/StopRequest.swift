package import PlaygroundCore

/// An owner's wish to end a completion, as replicas tell it to each other. Only who it belongs to can have made it.
package struct StopRequest: Sendable, Equatable {
    /// The channel that wishes are notified on.
    package static let channel = "completion_stop"

    package let completionID: CompletionID
    package let userID: UserID

    package init(completionID: CompletionID, userID: UserID) {
        self.completionID = completionID
        self.userID = userID
    }

    /// Reads a notification's payload, the two ids with a blank between them; nil for anything else.
    package init?(payload: String) {
        let parts = payload.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, let completionID = CompletionID(String(parts[0])), let userID = UserID(String(parts[1])) else {
            return nil
        }
        self.init(completionID: completionID, userID: userID)
    }
}
