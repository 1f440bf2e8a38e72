import CSystem
import StrictJSON

/// How a stream says its tokens.
enum Dialect: String, Sendable {
    /// `{"text": …}`
    case ours
    /// `choices[0].text`
    case openai
    /// No stream: one answer.
    case rest
}

/// Checks one stream while it comes: every token once, in order and unaltered, the finish once, `[DONE]` last.
/// Pure: bytes and the time in, tokens and a verdict out.
struct EventChecker {
    /// A token as it arrived.
    struct Token {
        let index: Int
        /// When the upstream sent it, Unix nanoseconds; 0 where it was not said.
        let sent: Int64
    }

    private let dialect: Dialect
    private let isEscaped: Bool
    /// A line whose end has not come yet.
    private var rest: [UInt8] = []
    private(set) var tokens = 0
    private(set) var isDone = false
    private var isFinished = false
    private var isFrameOpen = false
    private(set) var failure: String?

    /// - Parameter isEscaped: the tokens end with characters that JSON escapes; each is decoded and compared whole.
    init(dialect: Dialect, isEscaped: Bool) {
        self.dialect = dialect
        self.isEscaped = isEscaped
    }

    /// Whether the bytes so far end with a frame, as a client needs it that cuts every read at blank lines.
    var isAtFrameEnd: Bool { rest.isEmpty && !isFrameOpen }

    /// Takes bytes of the body; `received` is called for each token.
    mutating func take(_ bytes: UnsafeBufferPointer<UInt8>, received: (Token) -> Void) {
        var start = 0
        while start < bytes.count, failure == nil {
            let tail = UnsafeBufferPointer(rebasing: bytes[start...])
            guard let end = Self.find("\n", in: tail) else {
                rest.append(contentsOf: tail)
                if rest.count > 1 << 27 { failure = "endless line" }
                return
            }
            let piece = UnsafeBufferPointer(rebasing: tail[..<end])
            if rest.isEmpty {
                takeLine(piece, received)
            } else {
                var line = rest
                rest.removeAll(keepingCapacity: true)
                line.append(contentsOf: piece)
                line.withUnsafeBufferPointer { takeLine($0, received) }
            }
            start += end + 1
        }
    }

    /// The verdict when the body has ended.
    /// - Parameter expected: how many tokens there should have been; nil for any number.
    mutating func end(expected: Int?) -> String? {
        if let failure { return failure }
        if !rest.isEmpty || isFrameOpen { return "ends inside a frame" }
        if !isDone { return tokens == 0 ? "no token" : "no [DONE]" }
        if let expected, tokens != expected { return "token count" }
        if !isFinished { return "no finish_reason" }
        return nil
    }

    private mutating func takeLine(_ line: UnsafeBufferPointer<UInt8>, _ received: (Token) -> Void) {
        var line = line
        if line.last == UInt8(ascii: "\r") { line = UnsafeBufferPointer(rebasing: line.dropLast()) }
        if line.isEmpty {
            isFrameOpen = false
            return
        }
        if line[0] == UInt8(ascii: ":") { return isFrameOpen = true }
        isFrameOpen = true
        guard Self.starts(line, with: "data: ") else {
            failure = Self.starts(line, with: "event: error") ? "error event" : "not a data line"
            return
        }
        let data = UnsafeBufferPointer(rebasing: line[6...])
        if isDone { return failure = "data after [DONE]" }
        if Self.starts(data, with: "[DONE]"), data.count == 6 { return isDone = true }
        takeData(data, received)
    }

    private mutating func takeData(_ data: UnsafeBufferPointer<UInt8>, _ received: (Token) -> Void) {
        if isEscaped { return takeWhole(data, received) }
        if Self.find("\"finish_reason\":\"", in: data) != nil { isFinished = true }
        guard let key = Self.find("\"text\":\"", in: data) else {
            // Usage; anything else without a text is wrong.
            if Self.find("\"error\"", in: data) != nil {
                failure = "error event"
            } else if dialect == .ours || Self.find("\"choices\":[]", in: data) == nil {
                failure = "no text"
            }
            return
        }
        takeText(data[(key + 8)...], received)
    }

    /// `k<index> <nanoseconds> …`; an empty text has no token.
    private mutating func takeText(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ received: (Token) -> Void) {
        var position = text.startIndex
        if position == text.endIndex { return failure = "text altered" }
        if text[position] == UInt8(ascii: "\"") { return }
        guard text[position] == UInt8(ascii: "k") else { return failure = "text altered" }
        position += 1
        guard let index = Self.number(text, &position), position < text.endIndex, text[position] == UInt8(ascii: " ") else {
            return failure = "text altered"
        }
        position += 1
        let sent = Self.number(text, &position) ?? 0
        guard index == tokens else { return failure = index < tokens ? "token twice" : "token missing" }
        tokens += 1
        received(Token(index: index, sent: Int64(sent)))
    }

    private mutating func takeWhole(_ data: UnsafeBufferPointer<UInt8>, _ received: (Token) -> Void) {
        guard let object = try? JSONValue(parsing: Array(data)).object else { return failure = "bad JSON" }
        let choice = object["choices"]?.array?.first?.object
        if (object["finish_reason"] ?? choice?["finish_reason"])?.string != nil { isFinished = true }
        guard let text = (object["text"] ?? choice?["text"])?.string else {
            if dialect == .ours || object["choices"]?.array?.isEmpty != true { failure = "no text" }
            return
        }
        if text.isEmpty { return }
        guard text.hasSuffix(Self.escapedTail) else { return failure = "text altered" }
        let plain = Array(text.utf8)
        plain.withUnsafeBufferPointer { takeText($0[...], received) }
    }

    /// What the simulator's `esc=1` puts at a token's end, decoded.
    static let escapedTail = " \"q\" \n\t\\ / é é 漢 😀"

    private static func number(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ position: inout Int) -> Int? {
        let start = position
        var value = 0
        while position < text.endIndex, text[position] &- 0x30 < 10, position - start < 19 {
            value = value * 10 + Int(text[position] &- 0x30)
            position += 1
        }
        return position > start ? value : nil
    }

    private static func starts(_ bytes: UnsafeBufferPointer<UInt8>, with text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[index] != text.utf8Start[index] { return false }
        return true
    }

    private static func find(_ text: StaticString, in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress,
            let found = csystem_find(base, bytes.count, text.utf8Start, text.utf8CodeUnitCount)
        else { return nil }
        return UnsafeRawPointer(base).distance(to: found)
    }
}
