import PlaygroundCore
import StrictJSON
import Testing

@testable import Streaming

@Suite struct UpstreamRequestTests {
    @Test("the upstream is asked for one stream with usage, under the model and the max_tokens that apply")
    func body() throws {
        var parameters = CompletionParameters()
        parameters.model = "asked"
        parameters.maxTokens = 9999
        parameters.temperature = JSONNumber(0.5)
        parameters.stop = ["\n"]
        parameters.seed = 7
        parameters.logprobs = 3
        parameters.suffix = "end"
        let request = UpstreamRequest(
            model: "applied", prompt: "Once \"upon\"", parameters: parameters, maxTokens: 16, user: "opaque", promptEstimate: 3)
        let value = try JSONValue(parsing: request.encoded(for: UpstreamDescription()))
        let wanted = try JSONValue(
            parsing: #"""
                {"prompt":"Once \"upon\"","model":"applied","max_tokens":16,"temperature":0.5,"stop":["\n"],"seed":7,
                "suffix":"end","stream":true,"stream_options":{"include_usage":true},"user":"opaque"}
                """#)
        #expect(value == wanted)
    }

    @Test(
        "Retry-After is taken in seconds, finer where told so, and bounded",
        arguments: [
            (nil, nil, nil), ("2", nil, .seconds(2)), ("2", "1500", .milliseconds(1500)), ("99999", nil, .seconds(3600)),
            ("99999999999999999999999", nil, .seconds(3600)), ("-1", nil, nil), ("1.5", nil, nil), ("", nil, nil),
            ("Wed, 21 Oct 2026 07:28:00 GMT", nil, nil), (nil, "x", nil), ("3", "x", .seconds(3)),
        ] as [(String?, String?, Duration?)])
    func retryAfter(seconds: String?, milliseconds: String?, expected: Duration?) {
        let answer = UpstreamAnswer(
            status: 429, contentType: nil, retryAfter: seconds, retryAfterMilliseconds: milliseconds)
        #expect(answer.retryAfter == expected)
    }

    @Test(
        "only text/event-stream is a stream, in any case and with any parameters",
        arguments: [
            ("text/event-stream", true), ("Text/Event-Stream; charset=utf-8", true), ("text/event-stream ;x", true),
            ("text/event-streams", false), ("application/json", false), ("", false), ("text/plain; a=text/event-stream", false),
        ])
    func contentType(value: String, isStream: Bool) {
        #expect(UpstreamAnswer(status: 200, contentType: value).isEventStream == isStream)
    }
}
