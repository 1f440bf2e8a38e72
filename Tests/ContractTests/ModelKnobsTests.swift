import PlaygroundCore
import Streaming
import StrictJSON
import Testing

@testable import APIServer

@Suite("A model's knobs are what its upstreams take")
struct ModelKnobsTests {
    private static let all = [
        "temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "stop", "seed", "logit_bias", "logprobs",
        "suffix",
    ]

    @Test("a completion model has all of them; a chat model takes no suffix; what every upstream refuses is left out")
    func knobs() throws {
        let chat = UpstreamDescription(
            name: "c", kind: .chat, models: ["gpt", "both"], refusedParameters: ["temperature", "seed"])
        let own = UpstreamDescription(name: "o", models: ["llama", "both"], refusedParameters: ["seed", "logit_bias"])
        for (model, kind, missing) in [
            ("gpt", "chat", ["temperature", "seed", "suffix"]), ("llama", "completion", ["seed", "logit_bias"]),
            ("both", "completion", ["seed"]),
        ] {
            let knobs = ModelKnobs(of: model, from: [chat, own])
            #expect(knobs.kind.rawValue == kind)
            #expect(try Self.names(knobs) == Self.all.filter { !missing.contains($0) }, "\(model)")
        }
        #expect(try Self.names(ModelKnobs(of: "any", from: [UpstreamDescription()])) == Self.all)
    }

    private static func names(_ knobs: ModelKnobs) throws -> [String] {
        var writer = JSONWriter()
        writer.object { knobs.write(to: &$0, maxTokens: 1...2_048, maxTokensDefault: 256) }
        return try JSONValue(parsing: writer.bytes).object?.keys ?? []
    }
}
