import StrictJSON
import Testing

@testable import UpstreamSimulator

@Suite("Chat")
struct ChatTests {
    private func call(_ members: String, model: String = "gpt-4o-mini") throws(APIError) -> CompletionCall {
        try CompletionCall(parsing: Array("{\"model\":\"\(model)\",\(members)}".utf8), models: .usual, dialect: .chat)
    }

    private func refusal(_ members: String, model: String = "gpt-4o-mini") -> APIError? {
        do throws(APIError) {
            _ = try call(members, model: model)
            return nil
        } catch {
            return error
        }
    }

    private static func message(_ content: String) -> String {
        "\"messages\":[{\"role\":\"user\",\"content\":\"\(content)\"}]"
    }

    private func body(_ members: String) throws -> CompletionBody {
        let call = try call(members)
        return CompletionBody(
            call: call, directives: try Directives(prompt: call.prompts[0]), id: "chatcmpl-X", created: 1_759_118_174)
    }

    private func stream(_ members: String) throws -> String {
        let body = try body(members + ",\"stream\":true")
        var bytes: [UInt8] = []
        for index in 0..<body.eventCount { body.appendEvent(index, to: &bytes) }
        body.appendEnd(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("is streamed as chats are: who speaks, each token, why it ends, usage, [DONE]")
    func streamed() throws {
        let text = try stream(Self.message("[[tokens=2 prompt_tokens=9]]") + #","stream_options":{"include_usage":true}"#)
        let start =
            #"data: {"id":"chatcmpl-X","object":"chat.completion.chunk","created":1759118174,"model":"gpt-4o-mini-2024-07-18","#
        func event(_ delta: String, _ reason: String) -> String {
            #"\#(start)"choices":[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(reason)}],"usage":null}"#
                + "\n\n"
        }
        #expect(
            text == event(#"{"role":"assistant","content":"","refusal":null}"#, "null") + event(#"{"content":"k0 "}"#, "null")
                + event(#"{"content":"k1 "}"#, "null") + event("{}", #""length""#) + start
                + #""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"#
                + #""completion_tokens_details":{"reasoning_tokens":0}},"choices":[]}"# + "\n\ndata: [DONE]\n\n")
    }

    @Test("thinks aloud first where told to, which costs tokens, and refuses where told to")
    func thinking() throws {
        let options = #","stream_options":{"include_usage":true,"continuous_usage_stats":true}"#
        let text = try stream(Self.message("[[tokens=1 reasoning=2 refusal=1]]") + options)
        let deltas = text.split(separator: "\"delta\":").dropFirst().map { $0.prefix { $0 != "}" } }
        #expect(
            deltas == [
                #"{"role":"assistant","content":"","refusal":null"#, #"{"reasoning_content":"r0 ""#,
                #"{"reasoning_content":"r1 ""#,
                #"{"refusal":"k0 ""#, "{",
            ])
        let counts = text.split(separator: "\"completion_tokens\":").dropFirst().map { $0.prefix(1) }
        #expect(counts == ["0", "1", "2", "3", "3"])
    }

    @Test("tells log probabilities token by token, in the form that chats have")
    func logprobs() throws {
        let text = try stream(Self.message("[[tokens=1]]") + #","logprobs":true,"top_logprobs":2"#)
        #expect(
            text.contains(
                #""logprobs":{"content":[{"token":"k0 ","logprob":-0.125,"bytes":[107,48,32],"top_logprobs":["#
                    + #"{"token":"k0 ","logprob":-0.125,"bytes":[107,48,32]},{"token":"k0 ~1","logprob":-3.5,"#
                    + #""bytes":[107,48,32,126,49]}]}],"refusal":null}"#))
    }

    @Test("has an answer in one piece too")
    func whole() throws {
        let object = try #require(try JSONValue(parsing: try body(Self.message("[[tokens=2]]")).whole()).object)
        #expect(object["object"]?.string == "chat.completion")
        #expect(object["choices"]?.array?.first?.object?["message"]?.object?["content"]?.string == "k0 k1 ")
    }

    @Test("tells the same story for the same words as a completion does")
    func story() throws {
        let chat = try call(Self.message("hello"))
        let completion = try CompletionCall(
            parsing: Array(#"{"model":"m","prompt":"hello","max_tokens":4096}"#.utf8), models: .usual)
        let texts = try [chat, completion].map { call in
            let text = TokenText(call: call, directives: try Directives(prompt: "hello"), choice: 0)
            return (0..<text.count).compactMap { text.preparedToken($0) }.joined()
        }
        #expect(texts[0] == texts[1])
    }

    @Test("counts the tokens of every message, and answers the last")
    func messages() throws {
        let call = try call(
            #""messages":[{"role":"system","content":"12345678"},{"role":"user","content":"[[tokens=3]]"}],"max_tokens":5"#)
        #expect(call.prompts == ["[[tokens=3]]"])
        #expect(call.promptTokens == 5)
        #expect(call.maxTokens == 5)
    }

    @Test(
        "refuses what is no chat",
        arguments: [
            (#""prompt":"a""#, nil), (#""messages":"a""#, "messages"), (#""messages":[]"#, "messages"),
            (#""messages":[{"role":"user"}]"#, "messages[0].content"),
            (#""messages":[{"role":"me","content":"a"}]"#, "messages[0].role"),
            (message("a") + #","suffix":"b""#, nil), (message("a") + #","echo":true"#, nil),
            (message("a") + #","logprobs":3"#, "logprobs"), (message("a") + #","top_logprobs":3"#, "top_logprobs"),
            (message("a") + #","max_tokens":3,"max_completion_tokens":3"#, "max_tokens"),
            (message("a") + #","max_completion_tokens":0"#, "max_completion_tokens"),
        ] as [(String, String?)])
    func refusals(members: String, param: String?) throws {
        let error = try #require(refusal(members))
        #expect(error.status == 400)
        #expect(error.param == param)
    }

    @Test(
        "with a model that reasons takes no sampling parameter but the usual values",
        arguments: [
            (#""max_tokens":5"#, "max_tokens", "unsupported_parameter"),
            (#""temperature":0.5"#, "temperature", "unsupported_value"),
            (#""top_p":0.5"#, "top_p", "unsupported_value"), (#""presence_penalty":1"#, "presence_penalty", "unsupported_value"),
            (#""logprobs":true"#, "logprobs", "unsupported_parameter"), (#""stop":"a""#, "stop", "unsupported_parameter"),
        ])
    func reasoningModel(member: String, param: String, code: String) {
        let error = refusal(Self.message("a") + "," + member, model: "o4-mini")
        #expect(error?.param == param)
        #expect(error?.code == code)
        #expect(refusal(Self.message("a") + "," + member) == nil)
        #expect(refusal(Self.message("a") + #","temperature":1,"max_completion_tokens":5"#, model: "o4-mini") == nil)
    }
}
