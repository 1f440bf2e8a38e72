import StrictJSON
import Testing

@testable import UpstreamSimulator

@Suite("What a completion answers")
struct CompletionBodyTests {
    private func body(_ request: String) throws -> CompletionBody {
        let call = try CompletionCall(parsing: Array(request.utf8), models: .usual)
        return CompletionBody(
            call: call, directives: try Directives(prompt: call.prompts[0]), id: "cmpl-X", created: 1_759_118_173)
    }

    private func stream(_ request: String) throws -> String {
        let body = try body(request)
        var bytes: [UInt8] = []
        for index in 0..<body.eventCount { body.appendEvent(index, to: &bytes) }
        body.appendEnd(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("streams chunks as recorded: the last token with its finish_reason, usage null until the usage chunk, [DONE]")
    func recordedStream() throws {
        let text = try stream(
            #"{"model":"babbage-002","prompt":"[[tokens=2 prompt_tokens=31]]","stream":true,"stream_options":{"include_usage":true}}"#
        )
        let model = "babbage:2023-07-21-v2"
        #expect(
            text == """
                data: {"id":"cmpl-X","object":"text_completion","created":1759118173,"choices":[{"text":"k0 ","index":0,"logprobs":null,"finish_reason":null}],"model":"\(model)","usage":null}

                data: {"id":"cmpl-X","object":"text_completion","created":1759118173,"choices":[{"text":"k1 ","index":0,"logprobs":null,"finish_reason":"length"}],"model":"\(model)","usage":null}

                data: {"id":"cmpl-X","object":"text_completion","created":1759118173,"model":"\(model)","usage":{"prompt_tokens":31,"completion_tokens":2,"total_tokens":33},"choices":[]}

                data: [DONE]


                """)
    }

    @Test("claims cached tokens and those of thoughts where it is told to, each alone or both")
    func details() throws {
        let end = { (directives: String) in
            let options = #""stream":true,"stream_options":{"include_usage":true}"#
            return try stream(#"{"model":"m","prompt":"[[tokens=2 prompt_tokens=5 \#(directives)]]",\#(options)}"#)
                .split(separator: #""total_tokens":7"#).last.map { String($0.prefix { $0 != "[" }) }
        }
        let cached = #","prompt_tokens_details":{"audio_tokens":0,"cached_tokens":3}"#
        let thought = #","completion_tokens_details":{"reasoning_tokens":1}"#
        #expect(try end("cached_tokens=3 reasoning_tokens=1") == cached + thought + #"},"choices":"#)
        #expect(try end("cached_tokens=3") == cached + #"},"choices":"#)
        #expect(try end("reasoning_tokens=1") == thought + #"},"choices":"#)
    }

    @Test("has no usage member at all where none was asked for")
    func noUsage() throws {
        #expect(!(try stream(#"{"model":"m","prompt":"[[tokens=2]]","stream":true}"#)).contains("usage"))
    }

    @Test("lets the choices of several prompts take turns, prompt by prompt")
    func choices() throws {
        let text = try stream(#"{"model":"m","prompt":["[[tokens=2]]","b"],"n":2,"stream":true}"#)
        let indices = text.split(separator: "\"index\":").dropFirst().map { $0.prefix(1) }
        #expect(indices == ["0", "1", "2", "3", "0", "1", "2", "3"])
        #expect(text.split(separator: "\"finish_reason\":\"length\"").count == 5)
    }

    @Test(
        "is wrong where it is told to be",
        arguments: [("done=0", "[DONE]"), ("finish=none", "\"finish_reason\":\""), ("usage=0", "usage")])
    func omissions(directive: String, missing: String) throws {
        let request =
            #"{"model":"m","prompt":"[[tokens=2 \#(directive)]]","stream":true,"stream_options":{"include_usage":true}}"#
        #expect(!(try stream(request)).contains(missing))
    }

    @Test("knows the length of a stream beforehand, stamps and all")
    func lengths() throws {
        let request = #"{"model":"m","prompt":"[[tokens=12 ts=1 comment=1 esc=1 crlf=1]]","stream":true,"logprobs":1}"#
        #expect(try body(request).streamLength == stream(request).utf8.count)
    }

    @Test("gives the one object with its members in the recorded order")
    func whole() throws {
        let bytes = try body(#"{"model":"babbage-002","prompt":"[[tokens=2]]","logprobs":2,"n":2}"#).whole()
        let object = try #require(try JSONValue(parsing: bytes).object)
        #expect(object.keys == ["choices", "created", "id", "model", "object", "usage"])
        #expect(object["usage"]?.object?.keys == ["completion_tokens", "prompt_tokens", "total_tokens"])
        #expect(object["usage"]?.object?["completion_tokens"]?.number?.integer == 4)
        let choice = try #require(object["choices"]?.array?.last?.object)
        #expect(choice.keys == ["finish_reason", "index", "logprobs", "text"])
        #expect(choice["text"]?.string == "k0 k1 ")
        // The offsets count from the start of the prompt, which has 12 characters.
        #expect(choice["logprobs"]?.object?["text_offset"]?.array?.compactMap { $0.number?.integer } == [12, 15])
    }

    @Test("echoes the prompt without counting it")
    func echo() throws {
        let bytes = try body(#"{"model":"m","prompt":"Say","max_tokens":3,"echo":true}"#).whole()
        let object = try #require(try JSONValue(parsing: bytes).object)
        #expect(object["choices"]?.array?.first?.object?["text"]?.string?.hasPrefix("Say ") == true)
        #expect(object["usage"]?.object?["completion_tokens"]?.number?.integer == 3)
    }
}

@Suite("A story")
struct StoryTests {
    @Test("is the same for the same prompt, and another for another prompt, seed or choice")
    func deterministic() {
        let story = Array(Story(prompt: "hello", seed: nil, choice: 0))
        #expect(story == Array(Story(prompt: "hello", seed: nil, choice: 0)))
        #expect(story != Array(Story(prompt: "hallo", seed: nil, choice: 0)))
        #expect(story != Array(Story(prompt: "hello", seed: 1, choice: 0)))
        #expect(story != Array(Story(prompt: "hello", seed: nil, choice: 1)))
    }

    @Test("comes in words with a space in front, and ends with a sentence", arguments: ["", "a", "Once upon a time", "漢字"])
    func words(prompt: String) {
        let story = Array(Story(prompt: prompt, seed: nil, choice: 0))
        #expect(story.count >= 40)
        #expect(story.allSatisfy { $0.first == " " && $0.dropFirst().allSatisfy { $0 != " " } })
        #expect(story.last?.last == ".")
    }

    @Test(
        "ends before a stop sequence, wherever that begins",
        arguments: [
            (["x"], [" one", " two", " three"], false), ([" t"], [" one"], true), (["wo"], [" one", " t"], true),
            (["e t"], [" on"], true), (["three", "two"], [" one", " "], true), ([""], [" one", " two", " three"], false),
            ([" one"], [], true),
        ])
    func stops(stops: [String], tokens: [String], isStopped: Bool) {
        let result = TokenText.cut([" one", " two", " three"], at: stops)
        #expect(result.tokens == tokens)
        #expect(result.isStopped == isStopped)
    }
}
