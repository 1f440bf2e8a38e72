/// Why a text is not the JSON this project takes, and where.
///
/// `offset` counts bytes from the start of the text and names the first byte that cannot be right.
public struct JSONError: Error, Sendable, Equatable {
    /// What is wrong, each with a phrase fit for the author of a client.
    public enum Reason: Sendable, Equatable {
        /// The text ended where more was needed; also the empty text.
        case unexpectedEnd
        /// A byte that RFC 8259's grammar does not allow here.
        case unexpectedByte
        /// Something other than white space after the value.
        case trailingBytes
        /// The text begins with U+FEFF (RFC 8259, section 8.1).
        case byteOrderMark
        /// Bytes that are not UTF-8: overlong forms, surrogates, above U+10FFFF, cut sequences.
        case invalidUTF8
        /// A raw control character inside a string.
        case controlCharacter
        /// A backslash that starts no escape of RFC 8259, section 7.
        case invalidEscape
        /// A `\uD800`…`\uDFFF` escape that is no half of a pair: no Unicode text can hold it.
        case loneSurrogate
        /// A `\u0000` escape: PostgreSQL text cannot hold it.
        case nullCharacter
        /// A number that RFC 8259's grammar does not allow (`01`, `+1`, `.5`, `1.`, `NaN`).
        case invalidNumber
        /// A number literal longer than the limit.
        case numberTooLong
        /// Arrays and objects nested deeper than the limit.
        case tooDeep
        /// A member name that the same object already has.
        case duplicateKey
    }

    public let reason: Reason
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension JSONError: CustomStringConvertible {
    /// One sentence for the author of a client; it never repeats any of the text.
    public var description: String { "\(reason.phrase) at byte \(offset)" }
}

extension JSONError.Reason {
    /// Whether the text may well be JSON by RFC 8259, but asks for more than is taken here.
    package var isBeyondGrammar: Bool {
        switch self {
        case .loneSurrogate, .nullCharacter, .numberTooLong, .duplicateKey: true
        default: false
        }
    }

    /// What is wrong, without its place.
    public var phrase: String {
        switch self {
        case .unexpectedEnd: "the JSON text ends too early"
        case .unexpectedByte: "unexpected character"
        case .trailingBytes: "unexpected characters after the JSON value"
        case .byteOrderMark: "a byte order mark is not allowed"
        case .invalidUTF8: "the text is not valid UTF-8"
        case .controlCharacter: "a control character inside a string has to be escaped"
        case .invalidEscape: "invalid escape sequence in a string"
        case .loneSurrogate: "an escaped surrogate without its other half"
        case .nullCharacter: "the character U+0000 is not allowed"
        case .invalidNumber: "invalid number"
        case .numberTooLong: "a number literal is too long"
        case .tooDeep: "arrays and objects are nested too deeply"
        case .duplicateKey: "the same member name appears twice in one object"
        }
    }
}
