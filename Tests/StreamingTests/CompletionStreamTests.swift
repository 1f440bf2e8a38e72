import Foundation
import PlaygroundCore
import Testing

@testable import Streaming

@Suite struct CompletionStreamTests {
    typealias C = Completions

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let upstream: String
        let client: String

        init(_ description: String, _ upstream: String, _ client: String) {
            testDescription = description
            self.upstream = upstream
            self.client = client
        }
    }

    static let zeros = #"{"completion_tokens":0,"prompt_tokens":0,"total_tokens":0}"#

    static let wellEnded: [Case] = [
        Case(
            "the last content event carries text and finish reason; the usage comes on its own",
            C.event(" +") + C.event(":\\n", finish: "length") + C.usage(31, 25) + C.done,
            C.frame(" +") + C.frame(":\\n") + C.lastFrame("length", 31, 25, "exact")),
        Case(
            "without usage the events with text are counted and the prompt is estimated",
            C.event("a", usage: nil) + C.event("b", usage: nil) + C.event("", finish: "stop", usage: nil) + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("stop", 7, 2, "counted")),
        Case(
            "usage on every event is taken as it grows",
            C.event("a", usage: #"{"prompt_tokens":5,"completion_tokens":1}"#)
                + C.event("b", finish: "stop", usage: #"{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}"#) + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("stop", 5, 3, "exact")),
        Case(
            "what comes after the last told usage is counted on top",
            C.event("a", usage: #"{"prompt_tokens":5,"completion_tokens":4}"#) + C.event("b", finish: "stop") + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("stop", 5, 5, "counted")),
        Case(
            "usage that cannot be is not believed",
            C.event("a", finish: "stop", usage: #"{"prompt_tokens":-5,"completion_tokens":1}"#) + C.usage(5, 1 << 40) + C.done,
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "usage of a wrong shape is not believed",
            C.event("a", finish: "stop", usage: #"{"prompt_tokens":"5","completion_tokens":1.0}"#)
                + C.event("", usage: "[1]") + C.done,
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "zero tokens for a completion that has a text are not believed",
            C.event("a", finish: "stop") + C.usage(0, 0) + C.done,
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "more tokens than were asked for are not believed, nor what is said of the prompt beside them",
            C.event("a", finish: "length") + C.usage(8, 101) + C.done,
            C.frame("a") + C.lastFrame("length", 7, 1, "counted")),
        Case(
            "as many tokens as were asked for are believed, thoughts among them",
            C.event("a", finish: "length") + C.usage(8, 100) + C.done,
            C.frame("a") + C.lastFrame("length", 8, 100, "exact")),
        Case(
            "an event that tells too many leaves what was told before it, and is counted itself",
            C.event("a", usage: #"{"prompt_tokens":5,"completion_tokens":4}"#)
                + C.event("b", finish: "stop", usage: #"{"prompt_tokens":5,"completion_tokens":400}"#) + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("stop", 5, 5, "counted")),
        Case(
            "zeros in every event, where usage was not asked for, are no count",
            C.event("a", usage: Self.zeros) + C.event("b", usage: Self.zeros) + C.event("", finish: "stop", usage: Self.zeros)
                + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("stop", 7, 2, "counted")),
        Case(
            "a completion without any text ends well with the last frame alone",
            C.event("", finish: "stop") + C.usage(4, 0) + C.done, C.lastFrame("stop", 4, 0, "exact")),
        Case(
            "empty texts and null texts give no frame",
            C.event("") + C.event("") + C.event("a") + #"data: {"choices":[{"text":null,"index":0}]}"# + "\n\n"
                + C.event("", finish: "stop") + C.done,
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "unknown members, other choices and events without choices are passed over",
            #"data: {"x":{"choices":[1]},"choices":[{"index":1,"text":"no","finish_reason":"stop"},"#
                + #"{"finish_reason":null,"index":0,"extra":[[]],"text":"yes"}]}"# + "\n\n"
                + #"data: {"choices":[],"prompt_filter_results":[]}"# + "\n\n" + #"data: {"error":null}"# + "\n\n"
                + C.event("", finish: "stop") + C.done,
            C.frame("yes") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "nothing after the upstream's end is forwarded",
            C.event("a", finish: "stop") + C.done + C.event("LATE") + "data: {broken\n\n",
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "comments, CRLF, a byte order mark and data without a space are all the same stream",
            "\u{FEFF}: OPENROUTER PROCESSING\r\n\r\n"
                + (C.event("a", finish: "stop") + C.done).replacingOccurrences(of: "\n", with: "\r\n")
                .replacingOccurrences(of: "data: ", with: "data:"),
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "an event whose JSON goes over several data lines",
            "data: {\"choices\":[{\"text\":\"a\",\ndata: \"finish_reason\":\"stop\"}]}\n\n" + C.done,
            C.frame("a") + C.lastFrame("stop", 7, 1, "counted")),
        Case(
            "an empty finish reason is none",
            C.event("a", finish: "") + C.event("b", finish: "content_filter") + C.done,
            C.frame("a") + C.frame("b") + C.lastFrame("content_filter", 7, 2, "counted")),
        Case(
            "text stays escaped as the upstream escaped it",
            C.event(#"\ud83d\ude00 \"q\" \\n \u0000 \/ é😀"#, finish: "stop") + C.done,
            C.frame(#"\ud83d\ude00 \"q\" \\n \u0000 \/ é😀"#) + C.lastFrame("stop", 7, 1, "counted")),
    ]

    @Test("a completion that ends well reaches the client, cut anywhere", arguments: wellEnded)
    func endsWell(_ example: Case) {
        for reads in Pieces.all(of: Array(example.upstream.utf8)) {
            let run = MachineRun(reads)
            #expect(run.text == example.client, "\(reads.map(\.count))")
            #expect(run.step == .done)
        }
    }

    static let failing: [(upstream: String, client: String, fault: UpstreamFault)] = [
        ("", "", .endedEarly),
        (": ping\n\n", "", .endedEarly),
        (C.event("a"), C.frame("a"), .endedEarly),
        (C.event("a", finish: "stop"), C.frame("a"), .endedEarly),
        (C.event("a", finish: "stop") + C.usage(1, 1), C.frame("a"), .endedEarly),
        (C.event("a") + C.done, C.frame("a"), .endedEarly),
        (C.done, "", .endedEarly),
        (C.event("", finish: "stop") + C.done, "", .endedEarly),
        (C.event("", finish: "stop") + C.usage(0, 0) + C.done, "", .endedEarly),
        (C.event("a") + "data: {\"id\":\"cm", C.frame("a"), .endedEarly),
        (C.event("a", finish: "stop") + "data: [DONE]", C.frame("a"), .endedEarly),
        (
            C.event("a") + #"data: {"error":{"message":"m","type":"server_error","code":null}}"# + "\n\n", C.frame("a"),
            error(#"{"type":"server_error"}"#)
        ),
        ("event: error\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n", "", error()),
        ("event: error\ndata: what\n\n", "", error()),
        // llama.cpp of 2024.
        (
            #"error: {"code":400,"message":"m","type":"invalid_request_error"}"# + "\n\n" + C.done, "",
            error(#"{"code":400,"type":"invalid_request_error"}"#)
        ),
        (C.event("a", finish: "error") + C.done, "", error()),
        (C.event("a") + C.event("", finish: "abort") + C.done, C.frame("a"), error()),
        (C.event("", finish: "aborted") + C.done, "", error()),
        (C.event("a") + C.event("", finish: "cancelled") + C.usage(3, 1) + C.done, C.frame("a"), error()),
        (C.event("a") + C.event("", finish: "insufficient_system_resource") + C.done, C.frame("a"), error()),
        (
            #"data: {"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"# + "\n\n", "",
            error(#"{"type":"BadRequestError","code":400}"#)
        ),
        (
            #"data: {"error":{"code":"context_length_exceeded"}}"# + "\n\n", "",
            error(#"{"code":"context_length_exceeded"}"#)
        ),
    ]

    static func error(_ body: String = "{}") -> UpstreamFault {
        .errorEvent(UpstreamErrorReport(body: Array(body.utf8).span))
    }

    @Test("an upstream that breaks off or tells of an error fails, after what it had given", arguments: failing)
    func fails(example: (upstream: String, client: String, fault: UpstreamFault)) {
        for reads in Pieces.all(of: Array(example.upstream.utf8)) {
            let run = MachineRun(reads)
            #expect(run.text == example.client)
            guard case .failed(let fault) = run.step else {
                Issue.record("ended as \(run.step)")
                return
            }
            #expect(fault == example.fault)
        }
    }

    static let malformedTexts: [String] = [
        "{", "[]", "null", "1", "{}x", "", "[DONE", "{\"a\":01}",
        "{\"choices\":{}}", "{\"choices\":[1]}", "{\"choices\":null}",
        "{\"choices\":[{\"text\":1}]}", "{\"choices\":[{\"text\":\"a\"}]",
        "{\"choices\":[{\"text\":\"a\",\"index\":\"0\"}]}",
        "{\"choices\":[{\"text\":\"a\",\"index\":0.5}]}",
        "{\"choices\":[{\"text\":\"a\",\"index\":0,\"index\":0}]}",
        "{\"choices\":[{\"text\":\"a\",\"finish_reason\":1}]}",
        "{\"choices\":[{\"text\":\"a\"}],\"choices\":[{\"text\":\"b\"}]}",
        "{\"choices\":[{\"text\":\"a\",\"text\":\"b\"}]}",
        "{\"choices\":[{\"text\":\"a\"},{\"text\":\"b\"}]}",
        "{\"choices\":[{\"text\":\"\\ud800\"}]}",
        "{\"choices\":[{\"text\":\"\\udc00\\ud800\"}]}",
        "{\"choices\":[{\"text\":\"\\x\"}]}",
        "{\"choices\":[{\"text\":\"a\t\"}]}",
        "{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"\\ud800\"}]}",
        "{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"12345678901234567890123456789012345678901234567890123456789012345\"}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"a chat\"}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"in one piece\"},\"finish_reason\":\"stop\"}]}",
    ]

    static let malformedBytes: [[UInt8]] = [
        Array("{\"choices\":[{\"text\":\"".utf8) + [0xFF] + Array("\"}]}".utf8),
        Array("{\"choices\":[{\"text\":\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}]}".utf8),
        Array("{\"other\":\"".utf8) + [0xC0, 0x80] + Array("\",\"choices\":[]}".utf8),
    ]

    static let malformed: [[UInt8]] = malformedTexts.map { Array($0.utf8) } + malformedBytes

    @Test("an event that is not what the contract says is a failure, and nothing of it is guessed", arguments: malformed)
    func malformedEvent(event: [UInt8]) {
        let stream = Array(Completions.event("a").utf8) + Array("data: ".utf8) + event + Array("\n\n".utf8)
        let run = MachineRun([stream + Array((Completions.event("b", finish: "stop") + Completions.done).utf8)])
        #expect(run.text == Completions.frame("a"))
        guard case .failed(.malformedEvent) = run.step else {
            Issue.record("\(String(decoding: event, as: UTF8.self)) ended as \(run.step)")
            return
        }
    }

    static let badTexts: [[UInt8]] = [
        Array(#"\ud800"#.utf8), Array(#"\x"#.utf8), [0xFF], [0xE2, 0x82], [0x0A], [0x09], Array(#"\"#.utf8), Array(#"\u12"#.utf8),
        Array(#"a","#.utf8), Array(#"a"b"#.utf8),
    ]

    @Test("a text in a repeated envelope is checked as thoroughly as in a new one", arguments: badTexts)
    func repeatedEnvelope(text: [UInt8]) {
        let parts = Completions.event("@").split(separator: "@")
        let bad = Array(parts[0].utf8) + text + Array(parts[1].utf8)
        let run = MachineRun([Array((Completions.event("a") + Completions.event("b")).utf8) + bad])
        #expect(run.text == Completions.frame("a") + Completions.frame("b"))
        guard case .failed = run.step else {
            Issue.record("\(text) was taken")
            return
        }
    }

    @Test("an event that begins and ends like the last one and has more in between is read through")
    func envelopeTricks() {
        let longer = Completions.event(#"x","more":{"a":[1]},"rest":""#)
        let run = MachineRun(Completions.event("a") + longer + Completions.event("b", finish: "stop") + Completions.done)
        #expect(run.text.hasPrefix(Completions.frame("a") + Completions.frame("x") + Completions.frame("b")))
        #expect(run.step == .done)
    }

    @Test("what was delivered is known at every moment")
    func progress() {
        #expect(MachineRun("", ends: false).progress == usage(7, 0, .estimated))
        #expect(MachineRun(Completions.event("a"), ends: false).progress == usage(7, 1, .counted))
        let told = Completions.event("a", usage: #"{"prompt_tokens":3,"completion_tokens":2}"#)
        #expect(MachineRun(told, ends: false).progress == usage(3, 2, .exact))
        #expect(MachineRun(told + Completions.event("b"), ends: false).progress == usage(3, 3, .counted))
    }

    private func usage(_ prompt: Int, _ completion: Int, _ source: UsageSource) -> Usage {
        Usage(promptTokens: prompt, completionTokens: completion, source: source, maxTokensApplied: 100)
    }

    @Test("a text that follows the finish reason is a failure, and an empty one or figures are not")
    func textAfterFinish() {
        let finished = C.event("a") + C.event("b") + C.event("c", finish: "stop")
        let late = MachineRun(finished + C.event("") + C.event("LATE") + C.done)
        #expect(late.text == C.frame("a") + C.frame("b") + C.frame("c"))
        #expect(late.step == .failed(.malformedEvent("a text follows the finish reason")))
        #expect(MachineRun(finished + C.event("") + C.usage(1, 3) + C.done).step == .done)
        #expect(MachineRun(C.event("a", finish: "stop") + C.event("b", finish: "stop") + C.done).step == .done)
    }

    @Test(
        "nothing is a completion where something shows that the model was there, or that it would not show",
        arguments: [
            (C.event("", finish: "stop") + C.usage(4, 0) + C.done, true), (C.event("", finish: "content_filter") + C.done, true),
            (C.event("", finish: "stop") + C.done, false),
        ])
    func emptyCompletion(body: String, asksForUsage: Bool) {
        #expect(MachineRun(body, asksForUsage: asksForUsage).step == .done)
    }

    @Test("the model and the finish reason are told, decoded")
    func names() {
        let run = MachineRun(Completions.event("a", finish: "st\\u006fp") + Completions.done)
        #expect(run.model == "babbage:2023-07-21-v2")
        #expect(run.finishReason == "stop")
    }

    @Test("the hold is full after 64 events or 256 KiB without output, and never after output")
    func hold() {
        #expect(!MachineRun(String(repeating: Completions.event(""), count: 63), ends: false).isHoldFull)
        #expect(MachineRun(String(repeating: Completions.event(""), count: 64), ends: false).isHoldFull)
        let comments = String(repeating: ": \(String(repeating: "x", count: 1021))\n", count: 256)
        #expect(!MachineRun(String(comments.dropLast()), ends: false).isHoldFull)
        #expect(MachineRun(comments, ends: false).isHoldFull)
        let text = Completions.event("a") + comments + String(repeating: Completions.event(""), count: 64)
        #expect(!MachineRun(text, ends: false).isHoldFull)
    }

    @Test("collected text is the texts, still escaped, and nothing else")
    func collected() {
        let body = Completions.event("a\\n") + Completions.event("b", finish: "stop") + Completions.usage(1, 2) + Completions.done
        let run = MachineRun(body, form: .text)
        #expect(run.text == "a\\nb")
        #expect(run.progress == usage(1, 2, .exact))
    }

    @Test("an event beyond 1 MiB is a failure, one below it is not")
    func largeEvent() {
        let large = Completions.event(String(repeating: "x", count: 1 << 20))
        #expect(MachineRun(large).step == .failed(.tooLarge))
        let fits = Completions.event(String(repeating: "x", count: 1_000_000), finish: "stop") + Completions.done
        #expect(MachineRun(fits).step == .done)
    }

    /// Xorshift: the same bytes in every run.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    @Test("a damaged stream comes to the same end however it is cut, and no remembered envelope changes it")
    func damaged() {
        var generator = Generator(state: 0x9E37_79B9_7F4A_7C15)
        let first = Array(Completions.event("a").utf8)
        let rest = Array((Completions.event("b\\u00e9😀") + Completions.event("c", finish: "stop") + Completions.done).utf8)
        let bytes = Array("\"\\{}[],:\r\n du0x".utf8) + [0x80, 0xFF]
        for _ in 0..<1500 {
            var damaged = rest
            for _ in 0...Int.random(in: 0..<2, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                let byte = bytes.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: damaged[place] = byte
                case 1: damaged.insert(byte, at: place)
                default: damaged.remove(at: place)
                }
            }
            let whole = MachineRun([first + damaged])
            let place = Int.random(in: 0...damaged.count, using: &generator)
            let cut = MachineRun([first + damaged[..<place], Array(damaged[place...])])
            #expect(cut.output == whole.output)
            #expect(cut.step == whole.step)
            // Without an event before it there is no envelope to compare with.
            let alone = MachineRun([damaged])
            #expect(alone.step == whole.step)
            if whole.step != .done { #expect(Array(Completions.frame("a").utf8) + alone.output == whole.output) }
        }
    }
}
