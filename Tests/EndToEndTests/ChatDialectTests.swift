import Foundation
import StrictJSON
import TestSupport
import Testing

/// Simulated upstreams that are spoken to in chat, and one in completions beside them, to compare.
@Suite("Chat models beside completion models")
struct ChatDialectTests {
    private static func with(
        _ body: @escaping @Sendable (Stack, UpstreamPair.Simulated, UpstreamPair.Simulated) throws -> Void
    ) async throws {
        try await UpstreamPair.with { north, south in
            """
            {"upstreams": [
              {"name": "chats", "url": "\(north.url)", "key": "\(north.key)", "kind": "chat", "models": ["gpt-4o-mini", "o4-mini"]},
              {"name": "texts", "url": "\(south.url)", "key": "\(south.key)", "models": ["davinci-002"]}
            ]}
            """
        } body: { stack, north, south in
            try body(stack, north, south)
        }
    }

    @Test("completes a prompt in frames like any other, with exact usage, and the same text in one piece")
    func completes() async throws {
        try await Self.with { stack, chats, texts in
            for (model, resolved) in [("gpt-4o-mini", "gpt-4o-mini-2024-07-18"), ("davinci-002", "davinci:2023-07-21-v2")] {
                let parameters = #""model":"\#(model)","max_tokens":50"#
                let stream = try StreamTranscript(
                    stack.completed("tokens=5 id=\(model) prompt_tokens=9 reasoning=3", parameters: parameters).body)
                #expect(stream.text == "k0 k1 k2 k3 k4 ")
                #expect(stream.isDone)
                #expect(stream.frames.count == 6)
                #expect(stream.frames.last?["finish_reason"]?.string == "length")
                #expect(stream.usage?["prompt_tokens"]?.number?.integer == 9)
                // Thoughts are not delivered, and are tokens.
                #expect(stream.usage?["completion_tokens"]?.number?.integer == (model == "gpt-4o-mini" ? 8 : 5))
                #expect(stream.usage?["source"]?.string == "exact")
                let whole = try stack.completed("tokens=2 esc=1", stream: false, parameters: parameters)
                #expect(whole.status == 200)
                #expect(whole["model"]?.string == resolved)
                #expect(whole["text"]?.string?.hasPrefix("k0  \"q\" \n\t\\ / é é") == true)
            }
            #expect(try chats.records("gpt-4o-mini").count == 1)
            #expect(try texts.records("davinci-002").count == 1)
            try stack.expectAllSettled()
        }
    }

    @Test("gives log probabilities in the same form as one of completion models, beside their text and in one piece")
    func logprobs() async throws {
        try await Self.with { stack, _, _ in
            for model in ["gpt-4o-mini", "davinci-002"] {
                let parameters = #""model":"\#(model)","max_tokens":50,"logprobs":2"#
                let stream = try StreamTranscript(stack.completed("tokens=3", parameters: parameters).body)
                #expect(stream.text == "k0 k1 k2 ")
                let tokens = stream.frames.dropLast().map { $0["logprobs"]?.object?["tokens"]?.array?.compactMap(\.string) }
                #expect(tokens == [["k0 "], ["k1 "], ["k2 "]])
                #expect(stream.frames.last?["logprobs"] == nil)
                let whole = try stack.completed("tokens=3", stream: false, parameters: parameters)
                let logprobs = try #require(whole["choices.0.logprobs"]?.object)
                #expect(logprobs.keys == ["tokens", "token_logprobs", "top_logprobs", "text_offset"])
                #expect(logprobs["tokens"]?.array?.compactMap(\.string) == ["k0 ", "k1 ", "k2 "])
                #expect(logprobs["top_logprobs"]?.array?.first?.object?.keys == ["k0 ", "k0 ~1"])
                let offsets = try #require(logprobs["text_offset"]?.array?.compactMap { $0.number?.integer })
                #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $1 == $0 + 3 })
                let plain = try stack.completed("tokens=3", stream: false, parameters: #""model":"\#(model)""#)
                #expect(plain["choices.0.logprobs"] == nil)
            }
            try stack.expectAllSettled()
        }
    }

    @Test("refuses by name what it cannot be asked for, and what its model refuses is told under our name")
    func refusals() async throws {
        try await Self.with { stack, chats, _ in
            for (model, member, param) in [
                ("gpt-4o-mini", #""suffix":"end""#, "suffix"), ("o4-mini", #""temperature":0.5"#, "temperature"),
                ("o4-mini", #""logprobs":1"#, "logprobs"), ("o4-mini", #""stop":"x""#, "stop"),
            ] {
                for stream in [true, false] {
                    let answer = try stack.completed(
                        "tokens=1 id=refused", stream: stream, parameters: #""model":"\#(model)",\#(member)"#)
                    #expect(answer.status == 400)
                    #expect(answer.problemCode == "unsupported_parameter")
                    #expect(answer["param"]?.string == param)
                }
            }
            // max_tokens goes under the name that such a model takes.
            let answer = try stack.completed("tokens=1", parameters: #""model":"o4-mini","max_tokens":7,"temperature":1"#)
            #expect(try StreamTranscript(answer.body).isDone)
            try stack.expectAllSettled()
        }
    }

    @Test("that refuses or breaks off is told of as any other", arguments: [true, false])
    func failures(isChat: Bool) async throws {
        try await Self.with { stack, _, _ in
            let model = isChat ? #""model":"gpt-4o-mini""# : #""model":"davinci-002""#
            let refusal = try StreamTranscript(stack.completed("tokens=2 refusal=1", parameters: model).body)
            #expect(refusal.text == "k0 k1 ")
            for (directives, code) in [
                ("error_after=2", "upstream_error"), ("error_after=2 error_shape=vllm", "upstream_error"),
                ("drop_after=2", "upstream_error"), ("done=0", "upstream_error"), ("finish=none", "upstream_error"),
                ("malformed=1", "upstream_error"),
            ] {
                let stream = try StreamTranscript(stack.completed("tokens=3 interval=5 \(directives)", parameters: model).body)
                #expect(stream.text.hasPrefix("k0 "))
                #expect(!stream.isDone)
                #expect(stream.error?["code"]?.string == code, "\(directives)")
            }
            let quota = try stack.completed("status=429 code=insufficient_quota", parameters: model)
            #expect(quota.status == 429)
            #expect(quota.problemCode == "upstream_rate_limited")
            #expect(quota["retryable"]?.bool == false)
            let context = try stack.completed("status=400 code=context_length_exceeded", parameters: model)
            #expect(context.problemCode == "context_length_exceeded")
            try stack.expectAllSettled()
        }
    }
}
