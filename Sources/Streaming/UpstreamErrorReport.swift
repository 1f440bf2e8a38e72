package import PlaygroundCore
import StrictJSON

/// What an upstream's error says that may be acted on. Its message is read and never shown or logged: it may hold the
/// prompt, or parts of our key.
package struct UpstreamErrorReport: Sendable, Equatable {
    /// The only classes whose code reaches the client: it can do something about them.
    package private(set) var code: ErrorCode?
    /// The status that the error stands for, where it names one: an error inside a stream has no other.
    package private(set) var status: Int?
    /// There is no money left: waiting does not help.
    package private(set) var isQuotaSpent = false
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
        let type = Self.word(members["type"])
        let word = Self.word(members["code"])
        label = [type, word].compactMap(\.self).joined(separator: " ")
        isQuotaSpent = word == "insufficient_quota" || type == "insufficient_quota"
        if case .number(let number)? = members["code"], let status = number.integer, 400...599 ~= status {
            self.status = Int(status)
        }
        switch (word, type) {
        case ("context_length_exceeded", _), (_, "exceed_context_size_error"): code = .contextLengthExceeded
        case ("model_not_found", _), (_, "NotFoundError"): code = .modelNotFound
        case ("rate_limit_exceeded", _), ("insufficient_quota", _), (_, "insufficient_quota"): status = status ?? 429
        default:
            // vLLM names this one in its message alone.
            if case .string(let message)? = members["message"], message.contains("maximum context length") {
                code = .contextLengthExceeded
            }
        }
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
