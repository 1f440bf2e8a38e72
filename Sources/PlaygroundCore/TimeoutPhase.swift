/// What an upstream can take too long over. Clients decide by these words.
package enum TimeoutPhase: String, Sendable, CaseIterable {
    /// To take a connection.
    case connect
    /// To begin its answer.
    case firstByte = "first_byte"
    /// To give the first text.
    case firstToken = "first_token"
    /// To go on: neither comments nor empty lines count.
    case silence
    /// The completion as a whole.
    case total

    /// One sentence for the client.
    var meaning: String {
        switch self {
        case .connect: "The upstream could not be reached in time"
        case .firstByte: "The upstream did not begin its answer in time"
        case .firstToken: "The upstream gave no text in time"
        case .silence: "The upstream fell silent in the midst of its answer"
        case .total: "The completion took longer than it may in all"
        }
    }
}
