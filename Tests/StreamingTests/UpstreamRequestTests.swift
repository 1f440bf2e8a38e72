import PlaygroundCore
import StrictJSON
import Testing

@testable import Streaming

@Suite struct UpstreamRequestTests {
    private static func request(
        _ parameters: CompletionParameters = CompletionParameters(model: "asked", maxTokens: 9999)
    ) -> UpstreamRequest {
        UpstreamRequest(
            CompletionRequest(prompt: "Once \"upon\"", parameters: parameters), model: "applied", user: "opaque")
    }

    private static func everything(suffix: String? = nil) -> CompletionParameters {
        var logitBias = JSONObject()
        logitBias["50256"] = .number(JSONNumber(-100))
        return CompletionParameters(
            model: "asked", maxTokens: 9999, temperature: JSONNumber(0.5), topP: JSONNumber(0.25), stop: ["\n"],
            frequencyPenalty: JSONNumber(-1), presencePenalty: JSONNumber(2), seed: 7, logitBias: logitBias, logprobs: 3,
            suffix: suffix)
    }

    private func body(_ request: UpstreamRequest, _ upstream: UpstreamDescription) throws -> JSONValue {
        try JSONValue(parsing: request.encoded(for: upstream, maxTokens: 16))
    }

    @Test("a completion upstream is asked for one stream, under the model and the max_tokens that apply, with every parameter")
    func completion() throws {
        let request = Self.request(Self.everything(suffix: "end"))
        #expect(request.refusal(by: UpstreamDescription()) == nil)
        #expect(
            try body(request, UpstreamDescription())
                == JSONValue(
                    parsing: #"""
                        {"prompt":"Once \"upon\"","model":"applied","max_tokens":16,"temperature":0.5,"top_p":0.25,"stop":["\n"],
                        "frequency_penalty":-1,"presence_penalty":2,"seed":7,"logit_bias":{"50256":-100},"logprobs":3,
                        "suffix":"end","stream":true,"stream_options":{"include_usage":true},"user":"opaque"}
                        """#))
    }

    @Test("a chat upstream gets the prompt as a message of the user, and what it calls differently under its own name")
    func chat() throws {
        let request = Self.request(Self.everything())
        let upstream = UpstreamDescription(kind: .chat)
        #expect(request.refusal(by: upstream) == nil)
        #expect(
            try body(request, upstream)
                == JSONValue(
                    parsing: #"""
                        {"messages":[{"role":"user","content":"Once \"upon\""}],"model":"applied","temperature":0.5,"top_p":0.25,
                        "stop":["\n"],"frequency_penalty":-1,"presence_penalty":2,"seed":7,"logit_bias":{"50256":-100},
                        "max_completion_tokens":16,"logprobs":true,"top_logprobs":3,
                        "stream":true,"stream_options":{"include_usage":true},"user":"opaque"}
                        """#))
    }

    @Test("a chat upstream that refuses max_completion_tokens gets max_tokens")
    func olderChat() throws {
        let object = try #require(
            try body(Self.request(), UpstreamDescription(kind: .chat, refusedParameters: ["max_completion_tokens"])).object)
        #expect(object["max_tokens"]?.number?.integer == 16)
        #expect(object["max_completion_tokens"] == nil)
    }

    @Test(
        "usage is asked for as far as the upstream tells it",
        arguments: [
            (true, false, #"{"include_usage":true}"#), (true, true, #"{"include_usage":true,"continuous_usage_stats":true}"#),
            (false, false, nil), (false, true, nil),
        ] as [(Bool, Bool, String?)])
    func usage(tells: Bool, continuously: Bool, options: String?) throws {
        for kind in UpstreamKind.allCases {
            let upstream = UpstreamDescription(kind: kind, tellsUsage: tells, tellsUsageContinuously: continuously)
            #expect(try body(Self.request(), upstream).object?["stream_options"]?.object?.jsonText == options)
        }
    }

    @Test("what cannot be said in chat is refused by name, unless it says nothing")
    func suffix() throws {
        let chat = UpstreamDescription(kind: .chat)
        #expect(Self.request(CompletionParameters(suffix: "end")).refusal(by: chat)?.param == "suffix")
        #expect(Self.request(CompletionParameters(suffix: "end")).refusal(by: chat)?.code == .unsupportedParameter)
        let empty = Self.request(CompletionParameters(suffix: ""))
        #expect(empty.refusal(by: chat) == nil)
        #expect(try body(empty, chat).object?["suffix"] == nil)
        #expect(Self.request(CompletionParameters(suffix: "end")).refusal(by: UpstreamDescription()) == nil)
    }

    static let knobs: [(name: String, usual: String?, unusual: String)] = [
        ("temperature", "1", "0.5"), ("temperature", "1.0", "0"), ("top_p", "1", "0.9"), ("frequency_penalty", "0", "0.1"),
        ("frequency_penalty", "-0.0", "-1"), ("presence_penalty", "0.00", "2"), ("stop", "[]", "\"x\""), ("seed", nil, "0"),
        ("logit_bias", "{}", #"{"1":0}"#), ("logprobs", nil, "0"), ("suffix", "\"\"", "\" \""),
    ]

    @Test("a refused parameter is left out where it says what the model does anyway, and else refused by name", arguments: knobs)
    func refused(knob: (name: String, usual: String?, unusual: String)) throws {
        func request(_ value: String) throws -> UpstreamRequest {
            let asked = try CompletionRequest.parse(
                body: Array(#"{"prompt":"a","\#(knob.name)":\#(value)}"#.utf8).span,
                models: ModelPolicy(defaultModel: "m", allowed: nil))
            return UpstreamRequest(asked, model: "m", user: "u")
        }
        for kind in UpstreamKind.allCases {
            let strict = UpstreamDescription(kind: kind, refusedParameters: [knob.name])
            let refusal = try #require(try request(knob.unusual).refusal(by: strict))
            #expect(refusal.param == knob.name)
            #expect(refusal.code == .unsupportedParameter)
            if knob.name != "suffix" { #expect(try request(knob.unusual).refusal(by: UpstreamDescription(kind: kind)) == nil) }
            guard let usual = knob.usual else { continue }
            #expect(try request(usual).refusal(by: strict) == nil)
            #expect(try body(request(usual), strict).object?[knob.name] == nil)
        }
    }

    @Test("an upstream that refuses to be told of a user is not told")
    func user() throws {
        let object = try body(Self.request(), UpstreamDescription(refusedParameters: ["user"])).object
        #expect(object?.keys.contains("user") == false)
    }

    @Test(
        "Retry-After is taken in seconds or as a date, finer where told so, and bounded",
        arguments: [
            (nil, nil, nil), ("2", nil, .seconds(2)), ("2", "1500", .milliseconds(1500)), ("99999", nil, .seconds(3600)),
            ("99999999999999999999999", nil, .seconds(3600)), ("-1", nil, nil), ("1.5", nil, .milliseconds(1500)),
            ("0.0001", nil, .milliseconds(1)), ("", nil, nil), (".", nil, nil), ("1.", nil, nil), ("1.2.3", nil, nil),
            ("1e3", nil, nil), ("inf", nil, nil), (nil, "1500.5", .milliseconds(1501)), (nil, "x", nil), ("3", "x", .seconds(3)),
            (String(repeating: "9", count: 400), nil, .seconds(3600)), ("Wed, 21 Oct 2026 07:28:00 GMT", nil, .seconds(20)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", "7", .milliseconds(7)), ("Wed, 21 Oct 2026 07:27:00 GMT", nil, .zero),
            ("Fri, 31 Dec 9999 23:59:59 GMT", nil, .seconds(3600)), ("Sat, 01 Jan 0000 00:00:00 GMT", nil, .zero),
            ("Tue, 21 Oct 2026 07:28:00 GMT", nil, nil),
        ] as [(String?, String?, Duration?)])
    func retryAfter(seconds: String?, milliseconds: String?, expected: Duration?) {
        let answer = UpstreamAnswer(
            status: 429, contentType: nil, retryAfter: seconds, retryAfterMilliseconds: milliseconds,
            unixSeconds: 1_792_567_660)
        #expect(answer.retryAfter == expected)
    }

    @Test(
        "only text/event-stream is a stream, in any case and with any parameters",
        arguments: [
            ("text/event-stream", true), ("Text/Event-Stream; charset=utf-8", true), ("text/event-stream ;x", true),
            ("text/event-streams", false), ("application/json", false), ("", false), ("text/plain; a=text/event-stream", false),
        ])
    func contentType(value: String, isStream: Bool) {
        #expect(UpstreamAnswer(status: 200, contentType: value, unixSeconds: 0).isEventStream == isStream)
    }
}
