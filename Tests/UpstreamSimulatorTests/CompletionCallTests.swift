import Testing

@testable import UpstreamSimulator

@Suite("A completion request, judged by the upstream")
struct CompletionCallTests {
    private func parse(_ text: String) throws(APIError) -> CompletionCall {
        try CompletionCall(parsing: Array(text.utf8), models: .usual)
    }

    private func refusal(_ text: String) -> APIError? {
        do throws(APIError) {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    @Test("names only the first bad field, in the recorded words and bytes")
    func recordedBadRequest() throws {
        let error = try #require(refusal(#"{"max_tokens":-1,"model":"babbage-002","prompt":"","temperature":3}"#))
        #expect(error.status == 400)
        #expect(
            String(decoding: error.body, as: UTF8.self) == """
                {
                  "error": {
                    "code": "integer_below_min_value",
                    "message": "Invalid 'max_tokens': integer below minimum value. Expected a value >= 0, but got -1 instead.",
                    "param": "max_tokens",
                    "type": "invalid_request_error"
                  }
                }
                """)
    }

    @Test("refuses an unknown model in the recorded words and bytes, without rate fields")
    func recordedUnknownModel() throws {
        let error = try #require(refusal(#"{"model":"babbage-002-wrong","prompt":"def"}"#))
        #expect(error.status == 404)
        #expect(!error.hasRateFields)
        #expect(
            String(decoding: error.body, as: UTF8.self) == """
                {
                    "error": {
                        "message": "The model `babbage-002-wrong` does not exist or you do not have access to it.",
                        "type": "invalid_request_error",
                        "param": null,
                        "code": "model_not_found"
                    }
                }

                """)
    }

    @Test(
        "refuses what is out of range or of a wrong type",
        arguments: [
            (#""temperature":2.5"#, "temperature", "decimal_above_max_value"),
            (#""top_p":-0.1"#, "top_p", "decimal_below_min_value"), (#""max_tokens":"5""#, "max_tokens", "invalid_type"),
            (#""max_tokens":1.5"#, "max_tokens", "invalid_type"), (#""n":0"#, "n", "integer_below_min_value"),
            (#""logprobs":6"#, "logprobs", "integer_above_max_value"),
            (#""stop":["a","b","c","d","e"]"#, "stop", "array_above_max_length"), (#""stop":[1]"#, "stop", "invalid_type"),
            (#""stream":"yes""#, "stream", "invalid_type"),
        ])
    func ranges(member: String, param: String, code: String) {
        let error = refusal(#"{"model":"m","prompt":"x",\#(member)}"#)
        #expect(error?.status == 400)
        #expect(error?.param == param)
        #expect(error?.code == code)
    }

    @Test(
        "refuses other nonsense",
        arguments: [
            "", "[]", "{", #"{"prompt":"x"}"#, #"{"model":"m","prompt":"x","preset_id":"1"}"#, #"{"model":"m","prompt":[]}"#,
            #"{"model":"m","prompt":"x","stream_options":{"include_usage":true}}"#,
            #"{"model":"m","prompt":"x","n":3,"best_of":2}"#,
        ])
    func nonsense(body: String) {
        #expect(refusal(body)?.status == 400)
    }

    @Test("takes null for absent, and absent for the default")
    func defaults() throws {
        let call = try parse(#"{"model":"babbage-002","prompt":null,"max_tokens":null,"stop":null,"stream":null}"#)
        #expect(call.prompts == ["<|endoftext|>"])
        #expect(call.maxTokens == 16)
        #expect(call.choices == 1)
        #expect(!call.isStreamed)
        #expect(call.resolvedModel == "babbage:2023-07-21-v2")
    }

    @Test("charges as recorded: a quarter of the characters, rounded down, or the number of token ids")
    func charges() throws {
        let prompt = #"def fib(n):\n    if n <= 1:\n        return n\n    else:\n        return fib(n-1) + fib(n-2)"#
        // 249977 of 250000 remained: 22 for the text and 1 for the choice.
        #expect(try parse(#"{"model":"m","prompt":"\#(prompt)"}"#).chargedTokens == 22)
        #expect(try parse(#"{"model":"m","prompt":[1,2,3]}"#).chargedTokens == 3)
        let batch = try parse(#"{"model":"m","prompt":["abcd","abcdefgh"],"n":2}"#)
        #expect(batch.chargedTokens == 3)
        #expect(batch.choices == 4)
        #expect(batch.promptTokens == 3)
    }
}

@Suite("The answer's head")
struct AnswerHeadTests {
    @Test(
        "prints durations as Go does",
        arguments: [
            (0, "0s"), (5, "5ms"), (999, "999ms"), (1000, "1s"), (1200, "1.2s"), (1005, "1.005s"), (360_000, "6m0s"),
            (61_500, "1m1.5s"),
        ])
    func durations(milliseconds: Int, text: String) {
        #expect(AnswerHead.duration(milliseconds: milliseconds) == text)
    }

    @Test("carries the recorded rate fields")
    func rateFields() {
        var bytes: [UInt8] = []
        AnswerHead(requestID: "req_1", model: "babbage:2023-07-21-v2", chargedTokens: 23)
            .append(to: &bytes, status: 200, contentType: "text/event-stream", length: nil, isChunked: true)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
        for line in [
            "content-type: text/event-stream", "transfer-encoding: chunked", "openai-version: 2020-10-01",
            "x-ratelimit-remaining-requests: 2999", "x-ratelimit-remaining-tokens: 249977", "x-ratelimit-reset-requests: 20ms",
            "x-ratelimit-reset-tokens: 5ms", "cache-control: no-cache, must-revalidate", "x-request-id: req_1",
        ] { #expect(text.contains("\r\n\(line)\r\n")) }
    }
}
