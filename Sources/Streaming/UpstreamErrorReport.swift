package import PlaygroundCore
import StrictJSON

/// What an upstream's error says that may be acted on. Its message is read and never shown or logged: it may hold the
/// prompt, or parts of our key.
package struct UpstreamErrorReport: Sendable, Equatable {
    /// The only classes whose code reaches the client: it can do something about them.
    package private(set) var code: ErrorCode?
    /// The field of the client's request that is to blame, by its name on our wire.
    package private(set) var field: FieldError?
    /// The upstream blames the request for what only its operator, or ours, can put right: our key, or a part that it misses.
    package private(set) var isUpstreamsOwn = false
    /// The quota at the upstream is used up, which waiting does not cure.
    package private(set) var isOutOfQuota = false
    /// The status that the error stands for, where it names one: an error inside a stream has no other.
    package private(set) var status: Int?
    /// Its type and code as words, for the log.
    package private(set) var label = ""

    /// An error that says nothing.
    package init() {}

    /// Reads OpenAI's form `{"error":{"message","type","param","code"}}`, and vLLM's with these members at the top.
    /// What is neither says nothing.
    package init(body: Span<UInt8>) {
        guard let object = (try? JSONValue(parsing: body))?.object else { return }
        let members: JSONObject
        switch object["error"] {
        case .object(let inner)?: members = inner
        default: members = object
        }
        let message = members["message"]?.string ?? ""
        let words = [Self.word(members["type"]), Self.word(members["code"]), Self.liteLLMClass(message)].compactMap(\.self)
        label = words.filter(Self.isPlain).joined(separator: " ")
        status = Self.status(members["code"])
        classify(words, message: message, param: members["param"]?.string ?? Self.unsupportedParameter(words, message))
        if isUpstreamsOwn {
            status = status ?? 500
        } else if isOutOfQuota {
            status = status ?? 429
        } else if code != nil || field != nil {
            status = status ?? 400
        }
    }

    private mutating func classify(_ words: [String], message: String, param: String?) {
        if Self.contextWords.contains(where: words.contains) || Self.contextPhrases.contains(where: message.contains) {
            code = .contextLengthExceeded
        } else if Self.ownWords.contains(where: words.contains) {
            isUpstreamsOwn = true
        } else if Self.modelWords.contains(where: words.contains) || Self.tellsOfModel(message) {
            code = .modelNotFound
        } else if Self.quotaWords.contains(where: words.contains) {
            isOutOfQuota = true
        } else if words.contains("rate_limit_exceeded") {
            status = status ?? 429
        } else if Self.contentWords.contains(where: words.contains) || message.contains("ContentPolicyViolationError") {
            field = FieldError("prompt", .invalidValue, "The upstream's content filter does not let the prompt pass")
        } else if let name = param.flatMap(Self.ourName(of:)) {
            let isUnsupported = Self.unsupportedWords.contains(where: words.contains)
            field =
                isUnsupported
                ? FieldError(name, .unsupportedParameter, "The model does not support \(name), or not with this value")
                : FieldError(name, .invalidValue, "The model does not take this value of \(name)")
        }
    }

    // OpenAI's code and llama.cpp's type.
    private static let contextWords = ["context_length_exceeded", "exceed_context_size_error"]
    // vLLM, OpenRouter and older llama.cpp name it in their messages alone, and LiteLLM in front of whatever it passes on.
    private static let contextPhrases = [
        "maximum context length", "maximum model length", "exceeds the available context size", "ContextWindowExceededError",
    ]
    // OpenAI's code, vLLM's type and LiteLLM's class, and Ollama's type.
    private static let modelWords = ["model_not_found", "NotFoundError", "not_found_error"]
    // LiteLLM without a database answers 400 with the first to a key that is not its own.
    private static let ownWords = [
        "no_db_connection", "token_not_found_in_db", "expired_key", "auth_error", "invalid_api_key", "authentication_error",
        "AuthenticationError", "permission_error", "PermissionDeniedError",
    ]
    private static let unsupportedWords = ["unsupported_parameter", "unsupported_value", liteLLMUnsupported]
    private static let liteLLMUnsupported = "UnsupportedParamsError"
    private static let quotaWords = ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "budget_exceeded"]
    private static let contentWords = ["content_filter", "content_policy_violation"]

    /// Whether a message without a word for it says that there is no such model: LiteLLM's, and llama.cpp's and Ollama's
    /// `model 'x' not found`.
    private static func tellsOfModel(_ message: String) -> Bool {
        message.contains("Invalid model name")
            || (message.hasPrefix("model '") || message.hasPrefix("model \"")) && message.contains("not found")
    }

    /// The class with which LiteLLM begins its messages, as in `litellm.NotFoundError: OpenAIException - …`.
    private static func liteLLMClass(_ message: String) -> String? {
        let prefix = "litellm."
        guard message.hasPrefix(prefix) else { return nil }
        let rest = message.utf8.dropFirst(prefix.utf8.count)
        let name = rest.prefix { ($0 | 0x20) &- UInt8(ascii: "a") < 26 }
        guard 1...64 ~= name.count, rest.dropFirst(name.count).first == UInt8(ascii: ":") else { return nil }
        return String(decoding: name, as: UTF8.self)
    }

    /// The first parameter of ours that LiteLLM names in its message: `… does not support parameters: ['seed', 'stop'], …`.
    private static func unsupportedParameter(_ words: [String], _ message: String) -> String? {
        guard words.contains(liteLLMUnsupported), let start = message.firstRange(of: "parameters: [") else { return nil }
        let names = message[start.upperBound...].prefix { $0 != "]" }.split(separator: ",")
        return names.map { String($0.drop { " '".contains($0) }.prefix { $0 != "'" }) }.first { ourName(of: $0) != nil }
    }

    /// The name on our wire of a parameter that an upstream names, such as `messages[0].content`; nil for one that the client did
    /// not send.
    private static func ourName(of param: String) -> String? {
        let name = String(param.prefix { $0 != "[" && $0 != "." })
        return switch name {
        case "prompt", "messages": "prompt"
        case "max_tokens", "max_completion_tokens": "max_tokens"
        case "logprobs", "top_logprobs": "logprobs"
        case "model", "temperature", "top_p", "stop", "frequency_penalty", "presence_penalty", "seed", "logit_bias", "suffix":
            name
        default: nil
        }
    }

    /// A code that is a status, as vLLM writes it, or LiteLLM, which makes a string of it.
    private static func status(_ code: JSONValue?) -> Int? {
        let number: Int64? =
            switch code {
            case .number(let number)?: number.integer
            case .string(let text)? where text.utf8.count == 3: Int64(text)
            default: nil
            }
        return number.flatMap { 400...599 ~= $0 ? Int($0) : nil }
    }

    /// Whether a word may stand in a log: a name without digits, or a small number. A key that comes back as a code mixes both.
    private static func isPlain(_ word: String) -> Bool {
        let digits = word.utf8.count { $0 &- UInt8(ascii: "0") < 10 }
        return digits == 0 || (digits == word.utf8.count && digits <= 5)
    }

    /// A short identifier; nil for what is none.
    private static func word(_ value: JSONValue?) -> String? {
        guard case .string(let text)? = value, 1...64 ~= text.utf8.count else { return nil }
        let isWord = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        return isWord ? text : nil
    }
}
