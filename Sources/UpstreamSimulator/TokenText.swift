import StrictJSON

/// What one choice of a completion says, token by token, and why it ends.
struct TokenText {
    /// How many tokens there are.
    let count: Int
    let finishReason: String
    /// The tokens, when they had to be known beforehand; else they are made as they are sent.
    private let prepared: [String]?
    private let size: Int
    private let hugeSize: Int
    private let isStamped: Bool
    private let isEscaped: Bool

    /// - Parameter choice: 0 up to prompts × n, prompt by prompt.
    init(call: CompletionCall, directives: Directives, choice: Int) {
        size = directives.size
        hugeSize = directives.hugeSize
        isStamped = directives.isStamped
        isEscaped = directives.isEscaped
        let prompt = call.prompts[choice / call.choicesPerPrompt]
        if directives.isPresent {
            let wanted = directives.tokens ?? call.maxTokens
            if call.echoes {
                prepared = [prompt] + (0..<wanted).map { "k\($0) " }
                count = wanted + 1
            } else {
                prepared = nil
                count = wanted
            }
            finishReason = directives.finish ?? "length"
            return
        }
        let story = Array(Story(prompt: prompt, seed: call.seed, choice: choice % call.choicesPerPrompt))
        let told = Array(story.prefix(call.maxTokens))
        let (kept, isStopped) = Self.cut(told, at: call.stops)
        finishReason = isStopped || told.count == story.count ? "stop" : "length"
        prepared = (call.echoes ? [prompt] : []) + kept
        count = prepared?.count ?? 0
    }

    /// The plain text of a token; nil where it is made as it is sent.
    func preparedToken(_ index: Int) -> String? { prepared?[index] }

    /// Appends the text of token `index`, escaped for a JSON string.
    func append(_ index: Int, to bytes: inout [UInt8], unixNanoseconds: () -> Int64) {
        if let prepared {
            var literal = prepared[index].jsonBytes
            literal.removeFirst()
            literal.removeLast()
            bytes.append(contentsOf: literal)
            return
        }
        let start = bytes.count
        bytes.append(UInt8(ascii: "k"))
        bytes.append(decimal: Int64(index))
        bytes.append(UInt8(ascii: " "))
        if isStamped {
            bytes.append(decimal: Int64(unixNanoseconds()))
            bytes.append(UInt8(ascii: " "))
        }
        let wanted = hugeSize > 0 && index == 1 ? hugeSize : size
        let missing = wanted - (bytes.count - start)
        if missing > 0 { bytes.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: missing)) }
        if isEscaped { bytes.append(contentsOf: Self.escapedTail) }
    }

    /// A quote, a line feed, a tab, a backslash, a slash, and é both escaped and not, in JSON.
    private static let escapedTail = Array(#" \"q\" \n\t\\ / \u00e9 é 漢 😀"#.utf8)

    /// The tokens before the first stop sequence; the token in which it begins is cut, and left out when nothing remains.
    static func cut(_ tokens: [String], at stops: [String]) -> (tokens: [String], isStopped: Bool) {
        let text = Array(tokens.joined().utf8)
        let ends = stops.filter { !$0.isEmpty }.compactMap { text.firstRange(of: Array($0.utf8))?.lowerBound }
        guard let end = ends.min() else { return (tokens, false) }
        var kept: [String] = []
        var length = 0
        for token in tokens where length < end {
            let piece = Array(token.utf8.prefix(end - length))
            kept.append(String(decoding: piece, as: UTF8.self))
            length += piece.count
        }
        return (kept, true)
    }
}

extension [UInt8] {
    /// Appends a chunk's size line.
    mutating func append(chunkSize number: Int) {
        let start = count
        var rest = number
        repeat {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest >>= 4
        } while rest > 0
        self[start...].reverse()
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}
