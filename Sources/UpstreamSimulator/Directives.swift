/// How one completion is to behave, from words such as `[[tokens=50 interval=20]]` in the prompt. Times are in milliseconds.
///
/// `help` lists every word. Without such a list a prompt gets a little story, a word at a time.
struct Directives: Equatable {
    /// How a body is delimited.
    enum Framing: String { case chunked, length, close }
    /// How an error event inside a stream is shaped.
    enum ErrorShape: String { case openai, vllm }

    /// Whether the prompt has a list of directives: then tokens are numbered instead of telling a story.
    var isPresent = false
    /// Names the request in records; with it goes how often it has been sent.
    var id: String?

    // What is said.
    var tokens: Int?
    var size = 0
    var hugeSize = 0
    var isStamped = false
    var isEscaped = false
    var finish: String?
    var isFinishAlone = false
    /// Events of a chat in which the model thinks aloud, before its first token.
    var thoughts = 0
    /// Whether a chat's model says it as a refusal.
    var isRefusal = false
    var hasDone = true
    var hasUsage = true
    var promptTokens: Int?
    var completionTokens: Int?
    var cachedTokens: Int?
    var reasoningTokens: Int?

    // When.
    var headDelay = 0
    var firstDelay = 0
    var interval: Int?
    var batch = 1

    // In which bytes.
    var isSplit = false
    var isCRLF = false
    var hasComments = false
    var framing: Framing?
    var fillerSize = 0
    var trickle = 0
    var trickleInterval = 0
    var sendBuffer = 0

    // What goes wrong.
    var status = 200
    var retryAfter: String?
    var code: String?
    var type: String?
    var failures: Int?
    var isMalformed = false
    var isGarbage = false
    var isEmpty = false
    var errorAfter: Int?
    var errorShape = ErrorShape.openai
    var dropAfter: Int?
    var finAfter: Int?
    var stallAfter: Int?
    var dropsHead = false
    var finsHead = false
    var stallsHead = false

    /// No directives: a story.
    init() {}

    /// Reads the first `[[…]]` of a prompt. It is text like any other where no word in it is a directive, unless all of them
    /// look like one.
    /// - Throws: a 400 that names the word: a mistyped directive must not make a test pass.
    init(prompt: String) throws(APIError) {
        let text = prompt.utf8
        guard let open = text.firstRange(of: "[[".utf8), let close = text[open.upperBound...].firstRange(of: "]]".utf8) else {
            return
        }
        var unknown: String?
        var looksRight = true
        for word in text[open.upperBound..<close.lowerBound].split(separator: UInt8(ascii: " ")) {
            let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(Substring(parts[0]))
            looksRight = looksRight && parts.count > 1
            let value = parts.count > 1 ? String(Substring(parts[1])) : "1"
            if set(name, value) { isPresent = true } else { unknown = unknown ?? String(Substring(word)) }
        }
        if isPresent || looksRight, let unknown {
            throw APIError.badRequest("Not a directive of this simulator: \(unknown)", param: "prompt")
        }
    }

    /// After the first `failures` requests of an id the faults are over.
    mutating func recover() {
        let calm = Directives()
        status = calm.status
        isMalformed = calm.isMalformed
        isGarbage = calm.isGarbage
        isEmpty = calm.isEmpty
        errorAfter = calm.errorAfter
        dropAfter = calm.dropAfter
        finAfter = calm.finAfter
        stallAfter = calm.stallAfter
        dropsHead = calm.dropsHead
        finsHead = calm.finsHead
        stallsHead = calm.stallsHead
    }

    private mutating func set(_ name: String, _ value: String) -> Bool {
        if setWord(name, value) { return true }
        guard let number = Int(value), number >= 0 else { return false }
        return setContent(name, number) || setBytes(name, number) || setFault(name, number)
    }

    private mutating func setWord(_ name: String, _ value: String) -> Bool {
        switch name {
        case "id": id = value
        case "retry_after": retryAfter = value
        case "code": code = value
        case "type": type = value
        case "finish": finish = value
        case "framing":
            guard let framing = Framing(rawValue: value) else { return false }
            self.framing = framing
        case "error_shape":
            guard let shape = ErrorShape(rawValue: value) else { return false }
            errorShape = shape
        default: return false
        }
        return true
    }

    private mutating func setContent(_ name: String, _ number: Int) -> Bool {
        switch name {
        case "tokens": tokens = number
        case "size": size = min(number, 1 << 20)
        case "huge": hugeSize = min(number, 64 << 20)
        case "ts", "stamp": isStamped = number == 1
        case "esc": isEscaped = number == 1
        case "finish_alone": isFinishAlone = number == 1
        case "reasoning": thoughts = min(number, 100_000)
        case "refusal": isRefusal = number == 1
        case "done": hasDone = number == 1
        case "usage": hasUsage = number == 1
        case "prompt_tokens": promptTokens = number
        case "completion_tokens": completionTokens = number
        case "cached_tokens": cachedTokens = number
        case "reasoning_tokens": reasoningTokens = number
        case "head": headDelay = number
        case "first": firstDelay = number
        case "interval": interval = number
        case "batch": batch = max(1, number)
        default: return false
        }
        return true
    }

    private mutating func setBytes(_ name: String, _ number: Int) -> Bool {
        switch name {
        case "split": isSplit = number == 1
        case "crlf": isCRLF = number == 1
        case "comment": hasComments = number == 1
        case "filler": fillerSize = min(number, 1 << 20)
        case "trickle": trickle = number
        case "trickle_interval": trickleInterval = number
        case "slow":
            trickle = max(1, number / 100)
            trickleInterval = 10
        case "sndbuf": sendBuffer = number
        default: return false
        }
        return true
    }

    private mutating func setFault(_ name: String, _ number: Int) -> Bool {
        switch name {
        case "status":
            guard number >= 200, number <= 599 else { return false }
            status = number
        case "fails": failures = number
        case "malformed": isMalformed = number == 1
        case "garbage": isGarbage = number == 1
        case "empty": isEmpty = number == 1
        case "error_after": errorAfter = number
        case "drop_after": dropAfter = number
        case "fin_after": finAfter = number
        case "stall_after": stallAfter = number
        case "drop_head": dropsHead = number == 1
        case "fin_head": finsHead = number == 1
        case "stall_head": stallsHead = number == 1
        default: return false
        }
        return true
    }
}
