import Foundation
import PlaygroundCore
import Testing

@testable import Streaming

@Suite("Both dialects of upstreams")
struct DialectTests {
    typealias R = RecordedExchange

    @Test("a recorded stream reaches the client as ours, whole and cut anywhere", arguments: R.all)
    func recorded(exchange: RecordedExchange) {
        for reads in Pieces.all(of: Array(exchange.upstream.utf8)) {
            let run = MachineRun(reads, kind: exchange.kind)
            #expect(run.text == exchange.client, "\(reads.map(\.count))")
            #expect(run.step == .done)
        }
    }

    @Test("CRLF, lines for ids and reconnection, and white space after [DONE] change nothing", arguments: R.all)
    func decorated(exchange: RecordedExchange) {
        let decorated =
            "retry: 3000\n\n"
            + exchange.upstream.replacingOccurrences(of: "data: {", with: "id: 7\ndata: {")
            .replacingOccurrences(of: "[DONE]", with: "[DONE]  ").replacingOccurrences(of: "\n", with: "\r\n")
        for reads in [[Array(decorated.utf8)]] + Pieces.twos(of: Array(decorated.utf8), step: 5) {
            let run = MachineRun(reads, kind: exchange.kind)
            #expect(run.text == exchange.client)
            #expect(run.step == .done)
        }
    }

    @Test("a stream that is cut anywhere before its end fails, and every frame that went out before is whole", arguments: R.all)
    func truncated(exchange: RecordedExchange) throws {
        let bytes = Array(exchange.upstream.utf8)
        for length in stride(from: 0, to: bytes.count - 2, by: 7) {
            let run = MachineRun([Array(bytes[..<length])], kind: exchange.kind)
            #expect(run.step == .failed(.endedEarly))
            #expect(exchange.client.hasPrefix(run.text))
            #expect(!run.text.contains("[DONE]"))
        }
    }

    @Test("an upstream of the other dialect is found out by its first event", arguments: R.all)
    func mistaken(exchange: RecordedExchange) {
        let other: UpstreamKind = exchange.kind == .chat ? .completion : .chat
        let run = MachineRun(exchange.upstream, kind: other)
        #expect(run.text.isEmpty)
        guard case .failed(.malformedEvent) = run.step else {
            Issue.record("ended as \(run.step)")
            return
        }
    }

    static let malformedChoices = [
        #"{"delta":1}"#, #"{"delta":[]}"#, #"{"delta":"a"}"#, #"{"text":"a"}"#, #"{"message":{"content":"a"}}"#,
        #"{"delta":{"content":1}}"#, #"{"delta":{"content":[{"type":"text","text":"a"}]}}"#,
        #"{"delta":{"content":"a","content":"b"}}"#, #"{"delta":{"content":"a"},"delta":{}}"#,
        #"{"delta":{"content":"a","refusal":"b"}}"#, #"{"delta":{"refusal":1}}"#, #"{"delta":{"refusal":"a","refusal":"b"}}"#,
        #"{"delta":{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":""}}]}}"#,
        #"{"delta":{"function_call":{"name":"f"}}}"#, #"{"delta":{"content":"\ud800"}}"#,
        #"{"delta":{"content":"a"},"finish_reason":1}"#, #"{"delta":{"content":"a"},"index":"0"}"#, "1", "null",
    ]

    @Test(
        "a chat event that is not what the contract says is a failure, and nothing of it is guessed", arguments: malformedChoices)
    func malformedChat(choice: String) {
        let good = #"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"
        let run = MachineRun(good + "data: {\"choices\":[\(choice)]}\n\n" + good, kind: .chat)
        #expect(run.text == Completions.frame("a"))
        guard case .failed(.malformedEvent) = run.step else {
            Issue.record("\(choice) ended as \(run.step)")
            return
        }
    }

    @Test("what a model thinks aloud is counted and not delivered, and the first text need not wait for it to be held")
    func reasoning() {
        for name in ["reasoning", "reasoning_content"] {
            let thought = #"data: {"choices":[{"index":0,"delta":{"\#(name)":"hm"}}]}"# + "\n\n"
            let text = #"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"
            let thinking = MachineRun(String(repeating: thought, count: 63), kind: .chat, ends: false)
            #expect(thinking.output.isEmpty)
            #expect(thinking.progress.completionTokens == 63)
            #expect(thinking.progress.source == .counted)
            #expect(!thinking.isHoldFull)
            #expect(MachineRun(String(repeating: thought, count: 64), kind: .chat, ends: false).isHoldFull)
            let all = MachineRun(thought + thought + text + thought + text, kind: .chat, ends: false)
            #expect(all.text == Completions.frame("a") + Completions.frame("a"))
            #expect(all.progress.completionTokens == 5)
        }
    }

    @Test("usage that grows from event to event is known at every moment, in both dialects")
    func continuousUsage() {
        let texts = ["a", "\\n", "", "é", "d"]
        for count in 1...5 {
            let completion = texts[..<count].enumerated().map { "data: \(R.vLLMCompletion($1, completion: 7 * $0 + 1))\n\n" }
            let chat = texts[..<count].enumerated().map {
                "data: \(R.vLLMChat("{\"content\":\"\($1)\"}", completion: 7 * $0 + 1))\n\n"
            }
            for (run, prompt) in [
                (MachineRun(completion.joined(), ends: false), 5), (MachineRun(chat.joined(), kind: .chat, ends: false), 13),
            ] {
                #expect(run.text == texts[..<count].filter { !$0.isEmpty }.map { Completions.frame($0) }.joined())
                #expect(run.progress.promptTokens == prompt)
                #expect(run.progress.completionTokens == 7 * count - 6)
                #expect(run.progress.source == .exact)
            }
        }
    }

    @Test(
        "a number of tokens in a remembered place is read as strictly as any other",
        arguments: ["-1", "01", "1e1", "1.0", "16777217", "99999999999999999999", "\"3\"", "null", "", "1 1"])
    func strangeNumbers(number: String) throws {
        func event(_ number: String) -> String {
            R.vLLMCompletion("a", completion: 3).replacingOccurrences(of: ":3}", with: ":\(number)}")
        }
        let first = "data: \(event("1"))\n\ndata: \(event("2"))\n\n"
        let run = MachineRun(first + "data: \(event(number))\n\n", ends: false)
        let alone = MachineRun("data: \(event(number))\n\n", ends: false)
        #expect(run.step == alone.step)
        #expect(run.text == Completions.frame("a") + Completions.frame("a") + alone.text)
        if run.step == .goesOn {
            // Not believed: the one event more is counted.
            #expect(run.progress == Usage(promptTokens: 5, completionTokens: 3, source: .counted, maxTokensApplied: 100))
        }
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

    @Test("a damaged stream never gives a malformed frame, and comes to the same end however it is cut", arguments: R.all)
    func damaged(exchange: RecordedExchange) throws {
        var generator = Generator(state: 0x9E37_79B9_7F4A_7C15)
        let bytes = Array("\"\\{}[],:\r\n du0x189-.e".utf8) + [0x80, 0xFF]
        for round in 0..<400 {
            var damaged = Array(exchange.upstream.utf8)
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                let byte = bytes.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: damaged[place] = byte
                case 1: damaged.insert(byte, at: place)
                case 2: damaged.remove(at: place)
                default:
                    let end = min(damaged.count, place + Int.random(in: 0..<40, using: &generator))
                    damaged.insert(contentsOf: damaged[place..<end], at: Int.random(in: 0..<place + 1, using: &generator))
                }
            }
            let wantsLogprobs = round % 2 == 0
            let whole = MachineRun([damaged], kind: exchange.kind, wantsLogprobs: wantsLogprobs)
            let place = Int.random(in: 0...damaged.count, using: &generator)
            let cut = MachineRun(
                [Array(damaged[..<place]), Array(damaged[place...])], kind: exchange.kind, wantsLogprobs: wantsLogprobs)
            #expect(cut.output == whole.output)
            #expect(cut.step == whole.step)
            // Events that are remembered and events that are read through come to the same: with log probabilities wanted,
            // and none there, every event is read through.
            let other = MachineRun([damaged], kind: exchange.kind, wantsLogprobs: !wantsLogprobs)
            #expect(other.output == whole.output)
            #expect(other.step == whole.step)
            #expect(other.progress == whole.progress)
            try Frames.check(whole.output)
        }
    }
}

/// A client's check of every line of a stream.
enum Frames {
    struct Malformed: Error {
        let frame: String
    }

    /// Throws unless the bytes are frames of ours and nothing else.
    static func check(_ output: [UInt8]) throws {
        for frame in FrameTests.frames(String(decoding: output, as: UTF8.self)) {
            let text = String(decoding: frame, as: UTF8.self)
            guard text.hasPrefix("data: "), frame.count <= StreamFrame.limit else { throw Malformed(frame: text) }
            if text == "data: [DONE]\n\n" { continue }
            let line = text.dropFirst(6).dropLast(2)
            guard !line.contains("\n"), !line.contains("\r"),
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], object["text"] is String
            else { throw Malformed(frame: text) }
        }
        guard output.isEmpty || output.suffix(2).elementsEqual("\n\n".utf8) else {
            throw Malformed(frame: String(decoding: output.suffix(80), as: UTF8.self))
        }
    }
}
