import PlaygroundCore
import StrictJSON
import Testing

@Suite("CompletionRequest")
struct CompletionRequestTests {
    private static let models = ModelPolicy(defaultModel: "small", allowed: ["small", "large"])

    private func parse(_ body: String) throws(ServiceError) -> CompletionRequest {
        try CompletionRequest.parse(body: Array(body.utf8).span, models: Self.models)
    }

    private func errors(_ body: String) -> [String] {
        do {
            _ = try parse(body)
            return []
        } catch {
            return summary(error)
        }
    }

    @Test("every field is read")
    func everyField() throws {
        let request = try parse(
            #"""
            {"prompt":"Once","model":"large","temperature":0.70,"max_tokens":2147483647,"top_p":1,"stop":["\n","END"],
             "frequency_penalty":-2,"presence_penalty":2.0,"seed":-9223372036854775808,"logit_bias":{"50256":-100,"0":1e1},
             "logprobs":5,"suffix":"!","n":1,"user":"somebody","stream":true,
             "preset_id":"01890A5D-AC96-774B-BCCE-B302099A8057"}
            """#)
        #expect(request.prompt == "Once")
        #expect(request.stream)
        #expect(request.presetID?.description == "01890a5d-ac96-774b-bcce-b302099a8057")
        #expect(
            request.parameters.jsonText
                == #"{"model":"large","max_tokens":2147483647,"temperature":0.70,"top_p":1,"stop":["\n","END"],"#
                + #""frequency_penalty":-2,"presence_penalty":2.0,"seed":-9223372036854775808,"#
                + #""logit_bias":{"50256":-100,"0":1e1},"logprobs":5,"suffix":"!"}"#)
    }

    @Test("a prompt alone is enough, and an empty one is a prompt")
    func promptAlone() throws {
        let request = try parse(#"{"prompt":""}"#)
        #expect(request == CompletionRequest(prompt: ""))
        #expect(request.parameters == CompletionParameters())
        #expect(request.parameters.jsonText == "{}")
    }

    @Test("for an optional field absent, null, [] and {} mean the same", arguments: ["null", "[]", "{}"])
    func absence(value: String) throws {
        let names = [
            "model", "temperature", "max_tokens", "top_p", "stop", "frequency_penalty", "presence_penalty", "seed", "logit_bias",
            "logprobs", "suffix", "n", "best_of", "echo", "user", "stream", "preset_id",
        ]
        let members = names.map { "\"\($0)\":\(value)" }.joined(separator: ",")
        #expect(try parse("{\"prompt\":\"a\",\(members)}") == CompletionRequest(prompt: "a"))
    }

    @Test("n, best_of and echo may be sent with the values that ask for nothing special")
    func nothingSpecial() throws {
        #expect(try parse(#"{"prompt":"a","n":1,"best_of":1,"echo":false}"#) == CompletionRequest(prompt: "a"))
    }

    @Test(
        "one bad field",
        arguments: [
            (#"{}"#, "prompt required"), (#"{"prompt":[]}"#, "prompt required"), (#"{"prompt":null}"#, "prompt required"),
            (#"{"prompt":1}"#, "prompt wrong_type"), (#"{"prompt":["a"]}"#, "prompt unsupported_parameter"),
            (#"{"prompt":[1,2]}"#, "prompt unsupported_parameter"), (#"{"preset_id":"x"}"#, "preset_id invalid_value"),
            (#"{"preset_id":7}"#, "preset_id wrong_type"), (#"{"prompt":"a","stream":"true"}"#, "stream wrong_type"),
            (#"{"prompt":"a","stream":1}"#, "stream wrong_type"), (#"{"prompt":"a","n":2}"#, "n unsupported_parameter"),
            (#"{"prompt":"a","n":0}"#, "n unsupported_parameter"), (#"{"prompt":"a","n":1.0}"#, "n wrong_type"),
            (#"{"prompt":"a","best_of":2}"#, "best_of unsupported_parameter"),
            (#"{"prompt":"a","best_of":0}"#, "best_of unsupported_parameter"),
            (#"{"prompt":"a","best_of":"1"}"#, "best_of wrong_type"), (#"{"prompt":"a","echo":0}"#, "echo wrong_type"),
            (#"{"prompt":"a","echo":true}"#, "echo unsupported_parameter"), (#"{"prompt":"a","user":1}"#, "user wrong_type"),
            (#"{"prompt":"a","stream_options":{"include_usage":true}}"#, "stream_options unknown_parameter"),
            (#"{"prompt":"a","temprature":1}"#, "temprature unknown_parameter"),
            (#"{"prompt":"a","Model":"x"}"#, "Model unknown_parameter"),
            (#"{"prompt":"a","model":"huge"}"#, "model model_not_allowed"), (#"{"prompt":"a","model":""}"#, "model too_short"),
            (#"{"prompt":"a","temperature":2.1}"#, "temperature out_of_range"),
            (#"{"prompt":"a","temperature":"1"}"#, "temperature wrong_type"),
            (#"{"prompt":"a","top_p":-0.1}"#, "top_p out_of_range"),
            (#"{"prompt":"a","frequency_penalty":2.5}"#, "frequency_penalty out_of_range"),
            (#"{"prompt":"a","presence_penalty":-2.5}"#, "presence_penalty out_of_range"),
            (#"{"prompt":"a","logprobs":6}"#, "logprobs out_of_range"),
            (#"{"prompt":"a","logprobs":true}"#, "logprobs wrong_type"),
            (#"{"prompt":"a","seed":9223372036854775808}"#, "seed out_of_range"),
            (#"{"prompt":"a","seed":1.5}"#, "seed wrong_type"),
            (#"{"prompt":"a","stop":""}"#, "stop too_short"), (#"{"prompt":"a","stop":1}"#, "stop wrong_type"),
            (#"{"prompt":"a","stop":["a",""]}"#, "stop.1 too_short"), (#"{"prompt":"a","stop":["a",null]}"#, "stop.1 wrong_type"),
            (#"{"prompt":"a","stop":["1","2","3","4","5"]}"#, "stop too_long"),
            (#"{"prompt":"a","logit_bias":{"x":1}}"#, "logit_bias.x invalid_value"),
            (#"{"prompt":"a","logit_bias":{"-1":1}}"#, "logit_bias.-1 invalid_value"),
            (#"{"prompt":"a","logit_bias":{"1":101}}"#, "logit_bias.1 out_of_range"),
            (#"{"prompt":"a","logit_bias":["1"]}"#, "logit_bias wrong_type"),
            (#"{"prompt":"a","suffix":1}"#, "suffix wrong_type"),
            (#"{"prompt":"a","id":"x"}"#, "id unknown_parameter"),
        ])
    func oneBadField(body: String, expected: String) {
        #expect(errors(body) == [expected])
    }

    @Test(
        "max_tokens is an integer in digits from 1 to 2³¹−1",
        arguments: [
            ("-1", "out_of_range"), ("0", "out_of_range"), ("1", nil), ("2147483647", nil), ("2147483648", "out_of_range"),
            ("9007199254740992", "out_of_range"), ("9223372036854775808", "out_of_range"),
            ("18446744073709551616", "out_of_range"),
            ("1e400", "wrong_type"), ("1.0", "wrong_type"), ("1e2", "wrong_type"), ("\"1\"", "wrong_type"),
            ("true", "wrong_type"),
            ("null", nil),
        ] as [(String, String?)])
    func maxTokens(literal: String, expected: String?) {
        #expect(errors("{\"prompt\":\"a\",\"max_tokens\":\(literal)}") == (expected.map { ["max_tokens \($0)"] } ?? []))
    }

    @Test("sizes are exact: 128 KiB of prompt, 256 bytes of a stop string, 300 biases")
    func sizes() {
        let prompt = String(repeating: "a", count: 131_072)
        #expect(errors("{\"prompt\":\"\(prompt)\"}") == [])
        #expect(errors("{\"prompt\":\"\(prompt)a\"}") == ["prompt too_long"])
        let stop = String(repeating: "é", count: 128)
        #expect(errors("{\"prompt\":\"a\",\"stop\":\"\(stop)\"}") == [])
        #expect(errors("{\"prompt\":\"a\",\"stop\":[\"x\",\"\(stop)a\"]}") == ["stop.1 too_long"])
        let biases = { (count: Int) in (0..<count).map { "\"\($0)\":1" }.joined(separator: ",") }
        #expect(errors("{\"prompt\":\"a\",\"logit_bias\":{\(biases(300))}}") == [])
        #expect(errors("{\"prompt\":\"a\",\"logit_bias\":{\(biases(301))}}") == ["logit_bias too_long"])
    }

    @Test("all bad fields come at once, in the order of the body")
    func allAtOnce() {
        let body = #"{"stop":["a",2],"foo":1,"temperature":3,"max_tokens":0,"model":"huge","n":3}"#
        #expect(
            errors(body) == [
                "stop.1 wrong_type", "foo unknown_parameter", "temperature out_of_range", "max_tokens out_of_range",
                "model model_not_allowed", "n unsupported_parameter", "prompt required",
            ])
    }

    @Test("a preset fills what the body leaves out; what the body says wins")
    func preset() throws {
        let preset = try CompletionParameters(
            stored:
                #"{"model":"large","max_tokens":10,"temperature":0.50,"top_p":0.9,"stop":["x"],"seed":7,"logit_bias":{"1":1}}"#)
        let id = "01890a5d-ac96-774b-bcce-b302099a8057"
        let request = try parse(#"{"preset_id":"\#(id)","temperature":1,"stop":[],"suffix":"s"}"#)
        #expect(request.prompt == nil)
        let filled = request.filled(prompt: "saved", parameters: preset)
        #expect(filled.prompt == "saved")
        #expect(
            filled.parameters.jsonText
                == #"{"model":"large","max_tokens":10,"temperature":1,"top_p":0.9,"stop":["x"],"seed":7,"logit_bias":{"1":1},"suffix":"s"}"#
        )
        #expect(try parse(#"{"preset_id":"\#(id)","prompt":"own"}"#).filled(prompt: "saved", parameters: preset).prompt == "own")
    }

    @Test(
        "prompt tokens are estimated from ASCII bytes and other scalars",
        arguments: [
            ("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é", 1), ("漢字", 2), ("😀", 1), ("abcd漢", 2), ("abcde漢字😀", 5),
            ("e\u{301}", 2),
        ])
    func estimate(text: String, expected: Int) {
        #expect(TokenEstimate.tokens(in: text) == expected)
        #expect(CompletionRequest(prompt: text).estimatedPromptTokens == expected)
    }

    @Test("a suffix is estimated with the prompt")
    func suffix() throws {
        let request = try parse(#"{"prompt":"abcdefgh","suffix":"abcd","max_tokens":100000}"#)
        #expect(request.estimatedPromptTokens == 3)
    }
}

@Suite("CompletionParameters as a preset's params")
struct CompletionParametersTests {
    private func errors(_ params: String) -> [String] {
        summary(failure("{\"params\":\(params)}") { $0.fields("params") { CompletionParameters(reading: &$0) } })
    }

    @Test(
        "what belongs to a request alone is unknown in params",
        arguments: ["prompt", "stream", "preset_id", "id", "stream_options"])
    func requestOnly(name: String) {
        #expect(errors("{\"\(name)\":\"x\"}") == ["params.\(name) unknown_parameter"])
    }

    @Test("paths begin with params")
    func paths() {
        #expect(errors(#"{"stop":["a",2],"top_p":2}"#) == ["params.stop.1 wrong_type", "params.top_p out_of_range"])
        #expect(errors(#"[1]"#) == ["params wrong_type"])
        #expect(errors("{}") == [])
    }

    @Test("what is stored reads back the same, literals included")
    func stored() throws {
        let json = #"{"max_tokens":5,"temperature":0.70,"top_p":1.0,"stop":["a"],"logit_bias":{"7":-1e1},"suffix":"é\n"}"#
        let parameters = try CompletionParameters(stored: json)
        #expect(parameters.jsonText == json)
        #expect(try CompletionParameters(stored: parameters.jsonText) == parameters)
    }

    @Test("a stored member of a newer version is passed over; a broken one is our fault, not the client's")
    func storedOddly() throws {
        #expect(try CompletionParameters(stored: #"{"max_tokens":5,"top_k":3}"#).jsonText == #"{"max_tokens":5}"#)
        for broken in ["", "{", #"{"max_tokens":"5"}"#] {
            do {
                _ = try CompletionParameters(stored: broken)
                Issue.record("\(broken) was taken")
            } catch {
                #expect(error.code == .internalError)
            }
        }
    }

    @Test(
        "which model may run",
        arguments: [
            (nil, "small"), ("small", "small"), ("large", "large"), ("huge", nil),
        ] as [(String?, String?)])
    func models(requested: String?, expected: String?) {
        let policy = ModelPolicy(defaultModel: "small", allowed: ["large"])
        do {
            let model = try policy.model(for: requested)
            #expect(model == expected)
        } catch {
            #expect(expected == nil)
            #expect(error.code == .modelNotAllowed)
            #expect(error.param == "model")
        }
        #expect(ModelPolicy(defaultModel: "small", allowed: nil).allows("huge"))
    }

    @Test("usage is written with its total and its source")
    func usage() {
        let usage = Usage(promptTokens: 3, completionTokens: 4, source: .counted, maxTokensApplied: 16)
        #expect(
            usage.jsonText
                == #"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"source":"counted","max_tokens_applied":16}"#)
    }
}
