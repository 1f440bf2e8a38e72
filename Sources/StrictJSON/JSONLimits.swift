/// The bounds a JSON text has to keep to.
public struct JSONLimits: Sendable, Equatable {
    /// How many arrays and objects may be open at once: 0 to 64.
    public let depth: Int
    /// The longest number literal, in bytes.
    public let numberLength: Int
    /// Whether a string may contain `\u0000`. Only `JSONValue` looks at it; `JSONScanner` passes escapes on.
    public let allowsNullCharacter: Bool

    public init(depth: Int = 64, numberLength: Int = 64, allowsNullCharacter: Bool = false) {
        // One bit of a word a level is all the scanner remembers.
        self.depth = min(max(depth, 0), 64)
        self.numberLength = max(numberLength, 1)
        self.allowsNullCharacter = allowsNullCharacter
    }
}
