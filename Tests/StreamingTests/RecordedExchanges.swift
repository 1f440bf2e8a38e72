import Testing

@testable import Streaming

/// Streams as upstreams of several makes send them, member for member in their order, and what our client gets of each.
struct RecordedExchange: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let kind: UpstreamKind
    let upstream: String
    let client: String

    private init(_ description: String, _ kind: UpstreamKind, _ events: [String], _ client: String) {
        testDescription = description
        self.kind = kind
        upstream = events.map { $0.hasPrefix(":") ? "\($0)\n\n" : "data: \($0)\n\n" }.joined()
        self.client = client
    }

    static let all = completions + chats

    private typealias C = Completions

    // MARK: Completions

    static let completions = [
        RecordedExchange(
            "OpenAI, completions with usage", .completion,
            [" +", " 1", "\\n"].map(openAICompletion) + [
                #"{"id":"cmpl-CL5R","object":"text_completion","created":1759118173,"choices":[{"text":":\n","index":0,"#
                    + #""logprobs":null,"finish_reason":"length"}],"model":"babbage:2023-07-21-v2","usage":null}"#,
                #"{"id":"cmpl-CL5R","object":"text_completion","created":1759118173,"model":"babbage:2023-07-21-v2","#
                    + #""usage":{"prompt_tokens":31,"completion_tokens":4,"total_tokens":35},"choices":[]}"#,
                "[DONE]",
            ],
            C.frame(" +") + C.frame(" 1") + C.frame("\\n") + C.frame(":\\n") + C.lastFrame("length", 31, 4, "exact")),
        RecordedExchange(
            "vLLM, completions with usage in every event", .completion,
            [
                vLLMCompletion(" Once", completion: 1), vLLMCompletion(" upon", completion: 2),
                vLLMCompletion(" a time", completion: 10), vLLMCompletion("", finish: "stop", completion: 11),
                #"{"id":"cmpl-b3","object":"text_completion","created":1759118173,"model":"facebook/opt-125m","choices":[],"#
                    + #""usage":{"prompt_tokens":5,"total_tokens":16,"completion_tokens":11}}"#,
                "[DONE]",
            ],
            C.frame(" Once") + C.frame(" upon") + C.frame(" a time") + C.lastFrame("stop", 5, 11, "exact")),
        RecordedExchange(
            "llama.cpp, completions with figures in the last event", .completion,
            [
                llamaCompletion(" Once", finish: "null"), llamaCompletion(" upon", finish: "null"),
                #"{"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"created":1759118173,"#
                    + #""model":"gpt-3.5-turbo","system_fingerprint":"b6527-7f76","object":"text_completion","#
                    + #""usage":{"completion_tokens":2,"prompt_tokens":4,"total_tokens":6},"id":"chatcmpl-9x","#
                    + #""timings":{"prompt_n":4,"prompt_ms":21.5,"predicted_n":2,"predicted_per_second":93.25}}"#,
                "[DONE]",
            ],
            C.frame(" Once") + C.frame(" upon") + C.lastFrame("length", 4, 2, "exact")),
        RecordedExchange(
            "LiteLLM, completions, where a null is left out and so the last texts are missing", .completion,
            [
                liteLLMCompletion(#"{"text":" Once","index":0}"#), liteLLMCompletion(#"{"text":" upon","index":0}"#),
                liteLLMCompletion(#"{"finish_reason":"length","index":0}"#),
                liteLLMCompletion(
                    #"{"index":0}"#, usage: #","usage":{"completion_tokens":2,"prompt_tokens":4,"total_tokens":6}"#), "[DONE]",
            ],
            C.frame(" Once") + C.frame(" upon") + C.lastFrame("length", 4, 2, "exact")),
    ]

    private static func liteLLMCompletion(_ choice: String, usage: String = "") -> String {
        #"{"id":"cmpl-7d","choices":[\#(choice)],"created":1759118173,"model":"instruct","object":"text_completion"\#(usage)}"#
    }

    private static func openAICompletion(_ text: String) -> String {
        #"{"id":"cmpl-CL5R","object":"text_completion","created":1759118173,"choices":[{"text":"\#(text)","index":0,"#
            + #""logprobs":null,"finish_reason":null}],"model":"babbage:2023-07-21-v2","usage":null}"#
    }

    static func vLLMCompletion(_ text: String, finish: String? = nil, completion: Int) -> String {
        #"{"id":"cmpl-b3","object":"text_completion","created":1759118173,"model":"facebook/opt-125m","choices":[{"index":0,"#
            + #""text":"\#(text)","logprobs":null,"finish_reason":\#(finish.map { "\"\($0)\"" } ?? "null"),"stop_reason":null}],"#
            + #""usage":{"prompt_tokens":5,"total_tokens":\#(5 + completion),"completion_tokens":\#(completion)}}"#
    }

    private static func llamaCompletion(_ text: String, finish: String) -> String {
        #"{"choices":[{"text":"\#(text)","index":0,"logprobs":null,"finish_reason":\#(finish)}],"created":1759118173,"#
            + #""model":"gpt-3.5-turbo","system_fingerprint":"b6527-7f76","object":"text_completion","id":"chatcmpl-9x"}"#
    }

    // MARK: Chat

    static let chats = [
        RecordedExchange(
            "OpenAI, chat with padded events and usage", .chat,
            [
                openAIChat(#"{"role":"assistant","content":"","refusal":null}"#, padding: "k2"),
                openAIChat(#"{"content":"Once"}"#, padding: "Zp"), openAIChat(#"{"content":" upon"}"#, padding: "w"),
                openAIChat(#"{"content":" a \"time\""}"#, padding: "NGwsi0PqT"),
                openAIChat("{}", finish: "stop", padding: "y9Lqe"),
                #"{"id":"chatcmpl-CL6","object":"chat.completion.chunk","created":1759118174,"model":"gpt-4o-mini-2024-07-18","#
                    + #""service_tier":"default","system_fingerprint":"fp_560a","choices":[],"usage":{"prompt_tokens":9,"#
                    + #""completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"#
                    + #""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"obfuscation":""}"#,
                "[DONE]",
            ],
            C.frame("Once") + C.frame(" upon") + C.frame(#" a \"time\""#) + C.lastFrame("stop", 9, 5, "exact")),
        RecordedExchange(
            "OpenAI, a refusal is the answer", .chat,
            [
                openAIChat(#"{"role":"assistant","content":null,"refusal":""}"#, padding: "a"),
                openAIChat(#"{"refusal":"I'm sorry"}"#, padding: "bc"), openAIChat(#"{"refusal":", I can't."}"#, padding: "d"),
                openAIChat("{}", finish: "stop", padding: "e"), "[DONE]",
            ],
            C.frame("I'm sorry") + C.frame(", I can't.") + C.lastFrame("stop", 7, 2, "counted")),
        RecordedExchange(
            "OpenAI, a reasoning model thinks first and says how much", .chat,
            [
                openAIChat(#"{"role":"assistant","content":"","refusal":null}"#, padding: "q"),
                openAIChat(#"{"content":"42"}"#, padding: "rs"), openAIChat("{}", finish: "stop", padding: "t"),
                #"{"id":"chatcmpl-CL6","object":"chat.completion.chunk","created":1759118174,"model":"o4-mini-2025-04-16","#
                    + #""choices":[],"usage":{"prompt_tokens":12,"completion_tokens":99,"total_tokens":111,"#
                    + #""completion_tokens_details":{"reasoning_tokens":88}}}"#,
                "[DONE]",
            ],
            C.frame("42") + C.lastFrame("stop", 12, 99, "exact", details: #","reasoning_tokens":88"#)),
        RecordedExchange(
            "vLLM, chat with reasoning and usage in every event", .chat,
            [
                vLLMChat(#"{"role":"assistant","content":""}"#, completion: 0),
                vLLMChat(#"{"reasoning_content":"Let me"}"#, completion: 2),
                vLLMChat(#"{"reasoning_content":" see."}"#, completion: 9),
                vLLMChat(#"{"content":"Once"}"#, completion: 10), vLLMChat(#"{"content":" upon"}"#, completion: 11),
                vLLMChat(#"{"content":""}"#, finish: "stop", completion: 12),
                #"{"id":"chatcmpl-77","object":"chat.completion.chunk","created":1759118173,"model":"Qwen/Qwen3-0.6B","#
                    + #""choices":[],"usage":{"prompt_tokens":13,"total_tokens":25,"completion_tokens":12}}"#,
                "[DONE]",
            ],
            C.frame("Once") + C.frame(" upon") + C.lastFrame("stop", 13, 12, "exact")),
        RecordedExchange(
            "llama.cpp, chat with figures after the finish event", .chat,
            [
                llamaChat(#"{"role":"assistant","content":null}"#), llamaChat(#"{"content":"Once"}"#),
                llamaChat(#"{"content":" upon"}"#), llamaChat("{}", finish: "length"),
                #"{"choices":[],"created":1759118173,"id":"chatcmpl-Q1","model":"gpt-3.5-turbo","#
                    + #""system_fingerprint":"b6527-7f76","object":"chat.completion.chunk","usage":{"completion_tokens":2,"#
                    + #""prompt_tokens":11,"total_tokens":13},"timings":{"prompt_n":11,"predicted_ms":10.25}}"#,
                "[DONE]",
            ],
            C.frame("Once") + C.frame(" upon") + C.lastFrame("length", 11, 2, "exact")),
        RecordedExchange(
            "LiteLLM and OpenRouter, with comments, an explicit null for what is not there, and no usage", .chat,
            [
                ": OPENROUTER PROCESSING",
                liteLLMChat(#"{"content":"Once","role":"assistant"}"#), ": OPENROUTER PROCESSING",
                liteLLMChat(#"{"content":" upon","role":null,"function_call":null,"tool_calls":null,"refusal":null}"#),
                liteLLMChat(#"{"content":null,"tool_calls":[]}"#), liteLLMChat("{}", finish: "stop"), "[DONE]",
            ],
            C.frame("Once") + C.frame(" upon") + C.lastFrame("stop", 7, 2, "counted")),
        RecordedExchange(
            "LiteLLM, chat with usage beside an empty delta, or beside none", .chat,
            [
                liteLLMChat(#"{"content":"Once","role":"assistant"}"#), liteLLMChat(#"{"content":" upon"}"#),
                liteLLMChat("{}", finish: "length"),
                #"{"id":"chatcmpl-L","created":1759118173,"model":"gpt-4o-mini","object":"chat.completion.chunk","#
                    + #""choices":[{"index":0,"delta":{}}],"usage":{"completion_tokens":1,"prompt_tokens":9,"total_tokens":10}}"#,
                #"{"choices":[{"index":0}],"usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11}}"#, "[DONE]",
            ],
            C.frame("Once") + C.frame(" upon") + C.lastFrame("length", 9, 2, "exact")),
        RecordedExchange(
            "Azure, where an event about the prompt comes first", .chat,
            [
                #"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"#
                    + #""content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#,
                #"{"choices":[{"content_filter_results":{"hate":{"filtered":false}},"delta":{"content":"Once"},"#
                    + #""finish_reason":null,"index":0,"logprobs":null}],"created":1759118173,"id":"chatcmpl-A"}"#,
                #"{"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"content_filter","index":0}],"id":"A"}"#,
                "[DONE]",
            ],
            C.frame("Once") + C.lastFrame("content_filter", 7, 1, "counted")),
    ]

    static func openAIChat(_ delta: String, finish: String? = nil, padding: String) -> String {
        #"{"id":"chatcmpl-CL6","object":"chat.completion.chunk","created":1759118174,"model":"gpt-4o-mini-2024-07-18","#
            + #""service_tier":"default","system_fingerprint":"fp_560a","choices":[{"index":0,"delta":\#(delta),"logprobs":null,"#
            + #""finish_reason":\#(finish.map { "\"\($0)\"" } ?? "null")}],"usage":null,"obfuscation":"\#(padding)"}"#
    }

    static func vLLMChat(_ delta: String, finish: String? = nil, completion: Int) -> String {
        #"{"id":"chatcmpl-77","object":"chat.completion.chunk","created":1759118173,"model":"Qwen/Qwen3-0.6B","choices":"#
            + #"[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(finish.map { "\"\($0)\"" } ?? "null")}],"#
            + #""usage":{"prompt_tokens":13,"total_tokens":\#(13 + completion),"completion_tokens":\#(completion)}}"#
    }

    private static func llamaChat(_ delta: String, finish: String? = nil) -> String {
        #"{"choices":[{"finish_reason":\#(finish.map { "\"\($0)\"" } ?? "null"),"index":0,"delta":\#(delta)}],"#
            + #""created":1759118173,"id":"chatcmpl-Q1","model":"gpt-3.5-turbo","system_fingerprint":"b6527-7f76","#
            + #""object":"chat.completion.chunk"}"#
    }

    private static func liteLLMChat(_ delta: String, finish: String? = nil) -> String {
        let finish = finish.map { #""finish_reason":"\#($0)","# } ?? ""
        return #"{"id":"chatcmpl-L","created":1759118173,"model":"gpt-4o-mini","object":"chat.completion.chunk","#
            + #""system_fingerprint":"fp_560a","choices":[{\#(finish)"index":0,"delta":\#(delta)}],"provider":"OpenAI"}"#
    }
}
