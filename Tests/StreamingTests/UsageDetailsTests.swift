import PlaygroundCore
import StrictJSON
import Testing

@testable import Streaming

/// What upstreams tell of the parts that have prices of their own.
@Suite("Cached tokens and those of thoughts")
struct UsageDetailsTests {
    typealias C = Completions

    static func figures(_ prompt: Int, _ completion: Int, details: String) -> String {
        #"{"prompt_tokens":\#(prompt),"completion_tokens":\#(completion),"total_tokens":\#(prompt + completion)\#(details)}"#
    }

    static func details(cached: String = "0", reasoning: String = "0") -> String {
        #","prompt_tokens_details":{"audio_tokens":0,"cached_tokens":\#(cached)},"#
            + #""completion_tokens_details":{"reasoning_tokens":\#(reasoning),"audio_tokens":0}"#
    }

    static func thought(_ usage: String, text: String = "hm") -> String {
        #"data: {"choices":[{"index":0,"delta":{"reasoning_content":"\#(text)"}}],"usage":\#(usage)}"# + "\n\n"
    }

    static func content(_ usage: String, finish: String = "null") -> String {
        #"data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":\#(finish)}],"usage":\#(usage)}"# + "\n\n"
    }

    static func usage(
        _ prompt: Int, _ completion: Int, cached: Int = 0, reasoning: Int = 0, _ source: UsageSource = .exact
    ) -> Usage {
        Usage(
            promptTokens: prompt, completionTokens: completion, cachedTokens: cached, reasoningTokens: reasoning, source: source,
            maxTokensApplied: 100)
    }

    struct Reading: CustomTestStringConvertible {
        let promise: String
        let details: String
        let cached: Int
        let reasoning: Int
        var testDescription: String { promise }

        init(_ promise: String, _ details: String, cached: Int = 0, reasoning: Int = 0) {
            (self.promise, self.details, self.cached, self.reasoning) = (promise, details, cached, reasoning)
        }
    }

    static let readings = [
        Reading("without details there are none", ""),
        Reading("null is none", #","prompt_tokens_details":null,"completion_tokens_details":null"#),
        Reading("both are read", details(cached: "8", reasoning: "5"), cached: 8, reasoning: 5),
        Reading("all of the whole is believed", details(cached: "9", reasoning: "7"), cached: 9, reasoning: 7),
        Reading("more than the whole is not", details(cached: "10", reasoning: "8")),
        Reading("nor a negative or broken number", details(cached: "-1", reasoning: "2.0")),
        Reading("nor a text", details(cached: #""3""#, reasoning: #""3""#)),
        Reading("other members are passed over", #","prompt_tokens_details":{"reasoning_tokens":3,"x":{"cached_tokens":4}}"#),
        Reading("a wrong shape is passed over", #","prompt_tokens_details":[{"cached_tokens":4}],"completion_tokens_details":7"#),
        Reading(
            "where they stand twice the last ones count", details(cached: "1", reasoning: "2") + details(cached: "3"), cached: 3),
    ]

    @Test("are read where they can be believed, and never spoil the rest", arguments: readings)
    func areRead(reading: Reading) {
        let body = C.event("a", finish: "stop") + C.event("", usage: Self.figures(9, 7, details: reading.details)) + C.done
        for reads in Pieces.all(of: Array(body.utf8)) {
            let run = MachineRun(reads)
            #expect(run.progress == Self.usage(9, 7, cached: reading.cached, reasoning: reading.reasoning))
        }
    }

    @Test("are told to the client where there are any, and else nothing is said of them")
    func told() {
        let body = { (details: String) in
            C.event("a", finish: "stop") + C.event("", usage: Self.figures(9, 7, details: details)) + C.done
        }
        let both = MachineRun(body(Self.details(cached: "8", reasoning: "5"))).text
        #expect(both.contains(#""max_tokens_applied":100,"cached_tokens":8,"reasoning_tokens":5}"#))
        #expect(MachineRun(body(Self.details())).text == C.frame("a") + C.lastFrame("stop", 9, 7, "exact"))
    }

    @Test("that grow with every event are the same whether the events are read through or recognized")
    func growing() {
        var body = ""
        for count in 1...12 {
            body += Self.thought(Self.figures(9, count, details: Self.details(cached: "4", reasoning: "\(count)")))
        }
        for count in 13...20 { body += Self.content(Self.figures(9, count, details: Self.details(cached: "4", reasoning: "12"))) }
        body +=
            Self.content(Self.figures(9, 21, details: Self.details(cached: "4", reasoning: "12")), finish: #""stop""#) + C.done
        for reads in Pieces.all(of: Array(body.utf8)) {
            let run = MachineRun(reads, kind: .chat)
            #expect(run.step == .done)
            #expect(run.progress == Self.usage(9, 21, cached: 4, reasoning: 12))
        }
    }

    @Test("do not keep an event from being recognized: only its numbers are read")
    func recognized() throws {
        var scanner = EventScanner(kind: .chat)
        let first = Self.thought(Self.figures(9, 9, details: Self.details(cached: "4", reasoning: "9")))
        _ = try Self.data(first) { data throws(UpstreamFault) in try scanner.scan(data) }
        let cases: [(event: String, usage: UpstreamUsage?)] = [
            (
                Self.thought(Self.figures(9, 10, details: Self.details(cached: "4", reasoning: "10")), text: "well"),
                UpstreamUsage(promptTokens: 9, completionTokens: 10, cachedTokens: 4, reasoningTokens: 10)
            ),
            // Believed no more than in an event that is read through.
            (
                Self.thought(Self.figures(9, 10, details: Self.details(cached: "4", reasoning: "11"))),
                UpstreamUsage(promptTokens: 9, completionTokens: 10, cachedTokens: 4)
            ),
            (Self.thought(Self.figures(9, 10, details: Self.details(cached: "5", reasoning: "10"))), nil),
            (Self.thought(Self.figures(9, 10, details: Self.details(cached: "4", reasoning: "1.0"))), nil),
            (Self.thought(Self.figures(9, 10, details: Self.details(cached: "4", reasoning: "99999999"))), nil),
        ]
        for (event, usage) in cases {
            #expect(Self.data(event) { scanner.repetition(in: $0)?.usage } == usage, "\(event)")
        }
    }

    private static func data<Result, Failure: Error>(
        _ event: String, _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = Array(event.utf8.dropFirst("data: ".utf8.count).dropLast(2))
        return try bytes.withUnsafeBufferPointer(body)
    }

    @Test("a thought that the upstream has not counted yet is one of the tokens of thoughts")
    func uncounted() {
        let silent = Self.thought("null") + Self.thought("null") + Self.content("null")
        #expect(MachineRun([Array(silent.utf8)], kind: .chat, ends: false).progress == Self.usage(7, 3, reasoning: 2, .counted))
        let counted = Self.thought(Self.figures(9, 5, details: Self.details(cached: "4", reasoning: "5")))
        let more = MachineRun([Array((counted + silent).utf8)], kind: .chat, ends: false)
        #expect(more.progress == Self.usage(9, 8, cached: 4, reasoning: 7, .counted))
    }
}
