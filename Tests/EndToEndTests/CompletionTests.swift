import StrictJSON
import TestSupport
import Testing

/// Completions in one piece, and what a request may say about itself.
@Suite("A completion")
struct CompletionTests {
    @Test(
        "of an upstream that does not keep to max_tokens ends well far beyond them, and the log says who",
        arguments: [true, false])
    func runaway(stream: Bool) async throws {
        try await Stack.with { stack in
            let answer = try stack.completed(
                "id=runaway tokens=100000 interval=1", stream: stream, parameters: #""max_tokens":8"#)
            #expect(answer.status == 200)
            if stream {
                let transcript = try StreamTranscript(answer.body)
                #expect(transcript.isDone && transcript.frames.count == 82)
                #expect(transcript.frames.last?["finish_reason"]?.string == "length")
                #expect(transcript.usage?["completion_tokens"]?.integer == 81)
            } else {
                #expect(answer["finish_reason"]?.string == "length")
            }
            #expect(try stack.upstreamEnding("runaway") == "client_closed_midstream")
            _ = try stack.server.process.waitForLine(containing: "upstream went on far beyond max_tokens")
            try stack.expect("select outcome from usage", becomes: "done")
            try stack.expectAllSettled()
        }
    }

    @Test("in one piece has id, model, text, finish_reason, choices and usage")
    func shape() async throws {
        try await Stack.with { stack in
            let answer = try stack.completed("tokens=4 finish=stop prompt_tokens=9 esc=1", stream: false)
            #expect(answer.status == 200)
            #expect(answer.head["content-type"] == "application/json; charset=utf-8")
            #expect(answer.head["cache-control"] == "no-store")
            let text = (0..<4).map { "k\($0)  \"q\" \n\t\\ / é é 漢 😀" }.joined()
            #expect(answer["id"]?.string == answer.head["x-completion-id"])
            #expect(answer["model"]?.string?.hasPrefix("gpt-3.5-turbo-instruct") == true)
            #expect(answer["text"]?.string == text)
            #expect(answer["finish_reason"]?.string == "stop")
            #expect(answer["choices"]?.array?.count == 1)
            #expect(answer["choices.0.index"]?.integer == 0)
            #expect(answer["choices.0.text"]?.string == text)
            #expect(answer["choices.0.finish_reason"]?.string == "stop")
            #expect(answer["usage.prompt_tokens"]?.integer == 9)
            #expect(answer["usage.completion_tokens"]?.integer == 4)
            #expect(answer["usage.total_tokens"]?.integer == 13)
            #expect(answer["usage.source"]?.string == "exact")
            #expect(answer["usage.max_tokens_applied"]?.integer == 50)
            #expect(!answer.text.contains("null"), "an absent value is omitted")
        }
    }

    @Test("is asked of the upstream with our key, our name for the user, and every parameter as it was written")
    func upstreamRequest() async throws {
        try await Stack.with { stack in
            let parameters = """
                "max_tokens":7,"temperature":0.70,"top_p":1e-1,"stop":["a","\\u00e9"],"frequency_penalty":-2,\
                "presence_penalty":1.5,"seed":-9007199254740993,"logit_bias":{"50256":-100},"suffix":"the end",\
                "user":"me@example.com"
                """
            #expect(try stack.completed("id=asked tokens=2", parameters: parameters).status == 200)
            let asked = try stack.upstreamBody()
            #expect(asked["max_tokens"]?.integer == 7)
            #expect(asked["temperature"]?.number?.literal == "0.70")
            #expect(asked["top_p"]?.number?.literal == "1e-1")
            #expect(asked["stop"]?.array?.compactMap(\.string) == ["a", "é"])
            #expect(asked["frequency_penalty"]?.number?.literal == "-2")
            #expect(asked["presence_penalty"]?.number?.literal == "1.5")
            #expect(asked["seed"]?.number?.literal == "-9007199254740993")
            #expect(asked["logit_bias.50256"]?.number?.literal == "-100")
            #expect(asked["suffix"]?.string == "the end")
            #expect(asked["model"]?.string == "gpt-3.5-turbo-instruct")
            #expect(asked["preset_id"] == nil)
            let user = try #require(asked["user"]?.string)
            #expect(user != "me@example.com" && user.count >= 16)
            #expect(try stack.upstreamRecords("asked").first?["authorization"]?.string == "ok")
            // Another parameter list, the same user, the same name.
            _ = try stack.completed("tokens=2", stream: false)
            #expect(try stack.upstreamBody()["user"]?.string == user)
        }
    }

    @Test("takes the prompt and the parameters of a preset; what the request says itself counts more")
    func preset() async throws {
        try await Stack.with(users: 2) { stack in
            let saved = try stack.asUser(
                "POST", "/api/presets",
                #"{"name":"mine","prompt":"[[tokens=3]] saved","params":{"temperature":0.25,"max_tokens":9,"stop":["x"]}}"#)
            let id = try #require(saved["id"]?.string)
            let plain = try stack.asUser("POST", "/api/complete", #"{"preset_id":"\#(id)","stream":true}"#)
            #expect(try StreamTranscript(plain.body).text == "k0 k1 k2 ")
            #expect(plain.head["x-max-tokens-applied"] == "9")
            var asked = try stack.upstreamBody()
            #expect(asked["prompt"]?.string == "[[tokens=3]] saved")
            #expect(asked["temperature"]?.number?.literal == "0.25")
            #expect(asked["stop"]?.array?.compactMap(\.string) == ["x"])
            let changed = try stack.asUser(
                "POST", "/api/complete",
                #"{"preset_id":"\#(id)","prompt":"[[tokens=2]] mine","temperature":1,"max_tokens":5,"stop":[],"stream":null}"#)
            #expect(changed["text"]?.string == "k0 k1 ")
            asked = try stack.upstreamBody()
            #expect(asked["temperature"]?.number?.literal == "1")
            #expect(asked["max_tokens"]?.integer == 5)
            #expect(asked["stop"]?.array?.compactMap(\.string) == ["x"], "an empty list says nothing")
            try stack.expect("select count(*) from usage where preset_id = '\(id)'", becomes: "2")

            let body = #"{"preset_id":"\#(id)"}"#
            let foreign = try stack.asUser("POST", "/api/complete", body, token: stack.tokens[1])
            #expect(foreign.status == 404)
            #expect(foreign.problemCode == "not_found")
            let malformed = try stack.asUser("POST", "/api/complete", #"{"preset_id":"mine"}"#)
            #expect(malformed.status == 400)
            #expect(malformed["param"]?.string == "preset_id")
        }
    }

    @Test("never asks for more than the plan's cap, and says what it asked for")
    func cap() async throws {
        try await Stack.with(environment: ["MAX_TOKENS_CAP": "20", "MAX_TOKENS_DEFAULT": "5"]) { stack in
            for (parameters, applied) in [
                (#""max_tokens":19"#, 19), (#""max_tokens":21"#, 20), (#""max_tokens":2147483647"#, 20),
                (#""max_tokens":null"#, 5),
                (#""temperature":1"#, 5),
            ] {
                let answer = try stack.completed("prompt_tokens=1", stream: false, parameters: parameters)
                #expect(answer.head["x-max-tokens-applied"] == "\(applied)")
                #expect(answer["usage.max_tokens_applied"]?.integer == applied)
                #expect(answer["usage.completion_tokens"]?.integer == applied)
                #expect(try stack.upstreamBody()["max_tokens"]?.integer == applied)
            }
            let models = try stack.asUser("GET", "/api/models")
            #expect(models["data.0.max_tokens_cap"]?.integer == 20)
        }
    }

    @Test("bears the id that its client chose, once: the second time is a conflict, whoever asks")
    func completionID() async throws {
        try await Stack.with(replicas: 2, users: 2) { stack in
            let id = "0190B5A0-1234-7000-8000-00000000ABCD"
            let first = try stack.completed("tokens=2", stream: false, id: id)
            #expect(first.status == 200)
            #expect(first["id"]?.string == id.lowercased())
            for (replica, token) in zip(stack.replicas, stack.tokens) {
                let again = try stack.completed("id=again tokens=2", on: replica, token: token, id: id.lowercased())
                #expect(again.status == 409)
                #expect(again.problemCode == "completion_id_conflict")
            }
            #expect(try stack.upstreamRecords("again").isEmpty)
            let running = "0190b5a0-1234-7000-8000-00000000abce"
            let client = try stack.complete("tokens=1000 interval=50", id: running, parameters: StopTests.long)
            _ = try client.readHead()
            let twin = try stack.completed("id=again tokens=2", on: stack.replicas[1], id: running)
            #expect(twin.problemCode == "completion_id_conflict", "also while the first still runs")
            client.close()
            try stack.expectAllSettled()
            for malformed in ["", "mine", id + "0", "{\(id)}", id.replacing("-", with: "")] {
                let answer = try stack.completed("tokens=2", id: malformed)
                #expect(answer.status == 400, "'\(malformed)'")
                #expect(answer.problemCode == "invalid_header")
            }
            #expect(try stack.row("select count(*) from usage") == ["2"])
        }
    }

    @Test("may only name models that are allowed; the list of models says which, with the ranges of their knobs")
    func models() async throws {
        try await Stack.with(environment: ["UPSTREAM_MODEL": "davinci-002", "ALLOWED_MODELS": "davinci-002, babbage-002"]) {
            stack in
            let list = try stack.asUser("GET", "/api/models")
            #expect(list["data"]?.array?.compactMap { $0["id"]?.string } == ["davinci-002", "babbage-002"])
            #expect(list["data.0.parameters.temperature.maximum"]?.number?.double == 2)
            for (model, status) in [("babbage-002", 200), ("davinci-002", 200), ("gpt-4", 400), ("", 400)] {
                let answer = try stack.completed("tokens=1", stream: false, parameters: #""model":"\#(model)""#)
                #expect(answer.status == status, "\(model)")
                if status == 400, !model.isEmpty {
                    #expect(answer.problemCode == "model_not_allowed")
                    #expect(answer["param"]?.string == "model")
                }
            }
            let info = try stack.ask("GET", "/api/info")
            #expect(info.status == 200)
            #expect(info["version"]?.string != nil)
            #expect(info["registration"]?.string == "open")
        }
    }
}
