package import PlaygroundCore
import StrictJSON

/// What an upstream's error says that may be acted on. Its message is read and never shown or logged: it may hold the
/// prompt, or parts of our key.
package struct UpstreamErrorReport: Sendable, Equatable {
    /// The only classes whose code reaches the client: it can do something about them.
    package private(set) var code: ErrorCode?
    /// The field of the client's request that is to blame, by its name on our wire.
    package private(set) var field: FieldError?
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
        let words = [Self.word(members["type"]), Self.word(members["code"])].compactMap(\.self)
        label = words.joined(separator: " ")
        status = Self.status(members["code"])
        classify(words, message: members["message"]?.string ?? "", param: members["param"]?.string)
        if isOutOfQuota {
            status = status ?? 429
        } else if code != nil || field != nil {
            status = status ?? 400
        }
    }

    private mutating func classify(_ words: [String], message: String, param: String?) {
        if Self.contextWords.contains(where: words.contains) || Self.contextPhrases.contains(where: message.contains) {
            code = .contextLengthExceeded
        } else if Self.modelWords.contains(where: words.contains) || message.contains("Invalid model name") {
            code = .modelNotFound
        } else if Self.quotaWords.contains(where: words.contains) {
            isOutOfQuota = true
        } else if words.contains("rate_limit_exceeded") {
            status = status ?? 429
        } else if Self.contentWords.contains(where: words.contains) || message.contains("ContentPolicyViolationError") {
            field = FieldError("prompt", .invalidValue, "The upstream's content filter does not let the prompt pass")
        } else if let name = param.flatMap(Self.ourName(of:)) {
            let isUnsupported = words.contains("unsupported_parameter") || words.contains("unsupported_value")
            field =
                isUnsupported
                ? FieldError(name, .unsupportedParameter, "The model does not support \(name), or not with this value")
                : FieldError(name, .invalidValue, "The model does not take this value of \(name)")
        }
    }

    // OpenAI's code and llama.cpp's type.
    private static let contextWords = ["context_length_exceeded", "exceed_context_size_error"]
    // vLLM and OpenRouter name it in their messages alone, and LiteLLM in front of whatever it passes on.
    private static let contextPhrases = ["maximum context length", "maximum model length", "ContextWindowExceededError"]
    private static let modelWords = ["model_not_found", "NotFoundError"]
    private static let quotaWords = ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "budget_exceeded"]
    private static let contentWords = ["content_filter", "content_policy_violation"]

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
