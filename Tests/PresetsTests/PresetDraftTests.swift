import PlaygroundCore
import StrictJSON
import Testing

@testable import Presets

private let models = ModelPolicy(defaultModel: "m", allowed: ["m", "n"])

private func draft(_ json: String) throws -> PresetDraft {
    let bytes = Array(json.utf8)
    return try PresetDraft.parse(body: bytes.span, models: models)
}

private func fields(_ json: String) -> [String] {
    do {
        _ = try draft(json)
        return []
    } catch let error as ServiceError {
        return error.errors.map { "\($0.param) \($0.code.rawValue)" }
    } catch {
        return ["\(error)"]
    }
}

@Suite("A preset as a client sends it")
struct PresetDraftTests {
    @Test("is a name, a prompt and the parameters of a completion")
    func whole() throws {
        let draft = try draft(
            #"{"name":"Tale","prompt":"Once","params":{"temperature":0.70,"stop":["x"],"max_tokens":5,"model":"n"},"version":3}"#)
        #expect(draft.name == "Tale")
        #expect(draft.prompt == "Once")
        #expect(draft.params == #"{"model":"n","max_tokens":5,"temperature":0.70,"stop":["x"]}"#)
        #expect(draft.version == 3)
    }

    @Test("needs no parameters, and no text in its prompt", arguments: ["", #","params":{}"#, #","params":null"#])
    func bare(params: String) throws {
        let draft = try draft(#"{"name":"n","prompt":""\#(params)}"#)
        #expect(draft.prompt == "")
        #expect(draft.params == "{}")
        #expect(draft.version == nil)
    }

    @Test("may carry what answers carry, which changes nothing")
    func readOnly() {
        #expect(fields(#"{"id":7,"created_at":"x","updated_at":null,"name":"n","prompt":"p"}"#) == [])
    }

    @Test(
        "names every field that is bad",
        arguments: [
            ("{}", ["name required", "prompt required"]),
            (#"{"name":"","prompt":"p"}"#, ["name too_short"]),
            (#"{"name":1,"prompt":["p"]}"#, ["name wrong_type", "prompt unsupported_parameter"]),
            (#"{"name":"n","prompt":"p","params":[1]}"#, ["params wrong_type"]),
            (
                #"{"name":"n","prompt":"p","params":{"stream":true,"stop":["a",2]}}"#,
                ["params.stream unknown_parameter", "params.stop.1 wrong_type"]
            ),
            (#"{"name":"n","prompt":"p","params":{"model":"x"}}"#, ["params.model model_not_allowed"]),
            (#"{"name":"n","prompt":"p","params":{"prompt":"x"}}"#, ["params.prompt unknown_parameter"]),
            (#"{"name":"n","prompt":"p","tags":[1],"version":0}"#, ["tags unknown_parameter", "version out_of_range"]),
            (#"{"name":"n","prompt":"p","version":1.0}"#, ["version wrong_type"]),
        ] as [(String, [String])])
    func bad(json: String, expected: [String]) {
        #expect(fields(json) == expected)
    }

    @Test("has a name of at most 200 characters and a prompt of at most 128 KiB")
    func bounds() {
        let name = String(repeating: "é", count: 200)
        let prompt = String(repeating: "x", count: 131_072)
        #expect(fields(#"{"name":"\#(name)","prompt":"\#(prompt)"}"#) == [])
        #expect(fields(#"{"name":"\#(name)e","prompt":"\#(prompt)x"}"#) == ["name too_long", "prompt too_long"])
    }

    @Test("cannot hold U+0000, which the database has no place for", arguments: ["name", "prompt"])
    func nul(field: String) {
        let other = field == "name" ? "prompt" : "name"
        #expect(throws: ServiceError.self) { try draft(#"{"\#(field)":"a\u0000b","\#(other)":"x"}"#) }
    }
}

@Suite("A merge patch of a preset")
struct PresetPatchTests {
    private let preset = Preset(
        id: PresetID(UUIDBytes(high: 1, low: 2)), name: "Tale", prompt: "Once",
        params: #"{"model":"old","temperature":0.70,"logit_bias":{"1":2,"3":4},"from_the_future":[1]}"#, version: 4,
        createdAt: Timestamp(microseconds: 0), updatedAt: Timestamp(microseconds: 0))

    private func patched(_ json: String) throws -> PresetDraft {
        let bytes = Array(json.utf8)
        return try PresetPatch.parse(body: bytes.span).applied(to: preset, models: models)
    }

    private func params(_ json: String) throws -> JSONObject? { try JSONValue(parsing: patched(json).params).object }

    @Test("changes what it names and keeps the rest, also a parameter that nobody here knows and a model no longer allowed")
    func keeps() throws {
        let draft = try patched(#"{"name":"New","version":4}"#)
        #expect(draft.name == "New")
        #expect(draft.prompt == "Once")
        let params = try #require(try JSONValue(parsing: draft.params).object)
        #expect(params["model"] == .string("old"))
        #expect(params["temperature"]?.number?.literal == "0.70")
        #expect(params["from_the_future"] == .array([.number(JSONNumber(1))]))
        #expect(params.count == 4)
    }

    @Test("goes into parameters member by member, and null takes one away")
    func merges() throws {
        let params = try #require(
            try params(#"{"params":{"temperature":null,"top_p":0.5,"logit_bias":{"1":null,"9":-1},"from_the_future":null}}"#))
        #expect(params.keys.sorted() == ["logit_bias", "model", "top_p"])
        #expect(params["logit_bias"]?.object?.keys == ["3", "9"])
    }

    @Test("takes all parameters away with null")
    func removes() throws {
        #expect(try patched(#"{"params":null}"#).params == "{}")
    }

    @Test(
        "is refused where the preset would be bad with it",
        arguments: [
            (#"{"name":null}"#, ["name required"]),
            (#"{"prompt":null}"#, ["prompt required"]),
            (#"{"params":{"temperature":9,"x":1}}"#, ["params.temperature out_of_range", "params.x unknown_parameter"]),
            (#"{"params":{"model":"old"}}"#, ["params.model model_not_allowed"]),
            (#"{"params":7}"#, ["params wrong_type"]),
            (#"{"colour":"red"}"#, ["colour unknown_parameter"]),
            (#"{"version":"4"}"#, ["version wrong_type"]),
        ] as [(String, [String])])
    func bad(json: String, expected: [String]) {
        let error = #expect(throws: ServiceError.self) { try patched(json) }
        #expect(error?.errors.map { "\($0.param) \($0.code.rawValue)" } == expected)
    }

    @Test("ignores read-only fields and remembers the version it saw")
    func readOnly() throws {
        let bytes = Array(#"{"id":"x","created_at":1,"updated_at":2,"version":4}"#.utf8)
        #expect(try PresetPatch.parse(body: bytes.span).version == 4)
        #expect(try patched(#"{"id":"x","created_at":1,"updated_at":2,"version":4}"#).name == "Tale")
    }

    @Test("has to be an object", arguments: ["[]", "1", #""x""#, "{", ""])
    func form(json: String) {
        #expect(throws: ServiceError.self) { try patched(json) }
    }

    @Test(
        "merges as RFC 7396 shows",
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
            (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
            (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
            ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func appendixA(original: String, patch: String, result: String) throws {
        let target = try #require(try JSONValue(parsing: original).object)
        let changes = try #require(try JSONValue(parsing: patch).object)
        #expect(target.merged(changes).jsonText == result)
    }
}
