import Foundation
import PlaygroundCore
import StrictJSON
import Testing

@testable import Streaming

@Suite("Log probabilities")
struct LogprobTests {
    typealias C = Completions

    /// Events of the completions dialect as OpenAI writes them.
    private static func event(_ text: String, logprobs: String, finish: String = "null") -> String {
        #"data: {"id":"cmpl-X","choices":[{"text":"\#(text)","index":0,"logprobs":\#(logprobs),"finish_reason":\#(finish)}]}"#
            + "\n\n"
    }

    private static func chat(_ delta: String, logprobs: String, finish: String = "null") -> String {
        #"data: {"id":"c","choices":[{"index":0,"delta":\#(delta),"logprobs":\#(logprobs),"finish_reason":\#(finish)}]}"# + "\n\n"
    }

    private static let once =
        #"{"text_offset":[53],"token_logprobs":[-0.25],"tokens":[" Once"],"top_logprobs":[{" Once":-0.25," A":-1.5e0}]}"#
    private static let upon =
        #"{"text_offset":[58],"token_logprobs":[-3],"tokens":[" upon"],"top_logprobs":[{" in":-0.5," upon":-3}]}"#

    private static let recorded =
        event(" Once", logprobs: once) + event(" upon", logprobs: upon, finish: "\"length\"") + C.usage(9, 2) + C.done

    private static let ourOnce =
        #"{"tokens":[" Once"],"token_logprobs":[-0.25],"top_logprobs":[{" Once":-0.25," A":-1.5e0}],"text_offset":[53]}"#
    private static let ourUpon =
        #"{"tokens":[" upon"],"token_logprobs":[-3],"top_logprobs":[{" in":-0.5," upon":-3}],"text_offset":[58]}"#

    @Test("stand beside the text they belong to, numbers as the upstream wrote them, cut anywhere")
    func beside() {
        for reads in Pieces.all(of: Array(Self.recorded.utf8)) {
            let run = MachineRun(reads, wantsLogprobs: true)
            #expect(
                run.text == "data: {\"text\":\" Once\",\"logprobs\":\(Self.ourOnce)}\n\n"
                    + "data: {\"text\":\" upon\",\"logprobs\":\(Self.ourUpon)}\n\n" + C.lastFrame("length", 9, 2, "exact"))
            #expect(run.step == .done)
        }
    }

    @Test("are passed over where nobody asked for them")
    func notAsked() {
        let run = MachineRun(Self.recorded)
        #expect(run.text == C.frame(" Once") + C.frame(" upon") + C.lastFrame("length", 9, 2, "exact"))
        #expect(MachineRun(Self.recorded, form: .text).logprobs == nil)
    }

    @Test("leave frames as they are where the upstream has none")
    func noneThere() {
        let upstream = Self.event("a", logprobs: "null") + C.event("b", finish: "stop") + C.done
        let run = MachineRun(upstream, wantsLogprobs: true)
        #expect(run.text == C.frame("a") + C.frame("b") + C.lastFrame("stop", 7, 2, "counted"))
        #expect(MachineRun(upstream, form: .text, wantsLogprobs: true).logprobs == nil)
    }

    @Test("of a completion in one piece are those of all events, one after the other")
    func collected() {
        let run = MachineRun(Self.recorded, form: .text, wantsLogprobs: true)
        #expect(run.text == " Once upon")
        #expect(
            run.logprobs == #"{"tokens":[" Once"," upon"],"token_logprobs":[-0.25,-3],"#
                + #""top_logprobs":[{" Once":-0.25," A":-1.5e0},{" in":-0.5," upon":-3}],"text_offset":[53,58]}"#)
    }

    @Test("of a chat model are written in the completions form, their offsets counted in characters of our text")
    func fromChat() {
        let upstream =
            Self.chat(#"{"role":"assistant","content":"","refusal":null}"#, logprobs: "null")
            + Self.chat(
                #"{"content":"\ud83d\ude00é"}"#,
                logprobs: #"{"content":[{"token":"😀","logprob":-0.5,"bytes":[240,159,152,128],"top_logprobs":["#
                    + #"{"token":"😀","logprob":-0.5,"bytes":null},{"token":"a\n","logprob":-2.25,"bytes":[97,10]}]},"#
                    + #"{"token":"é","logprob":-1,"bytes":[195,169],"top_logprobs":[]}],"refusal":null}"#)
            + Self.chat(
                #"{"refusal":"No"}"#,
                logprobs: #"{"content":null,"refusal":[{"token":"No","logprob":-9999.0,"bytes":[78,111],"top_logprobs":"#
                    + #"[{"token":"x","logprob":-0.0},{"token":"x","logprob":-7.0}]}]}"#)
            + Self.chat("{}", logprobs: "null", finish: "\"stop\"") + C.done
        for reads in Pieces.all(of: Array(upstream.utf8)) {
            let run = MachineRun(reads, kind: .chat, wantsLogprobs: true)
            #expect(
                run.text == #"data: {"text":"\ud83d\ude00é","logprobs":{"tokens":["😀","é"],"token_logprobs":[-0.5,-1],"#
                    + #""top_logprobs":[{"😀":-0.5,"a\n":-2.25},{"é":-1}],"text_offset":[0,1]}}"# + "\n\n"
                    + #"data: {"text":"No","logprobs":{"tokens":["No"],"token_logprobs":[-9999.0],"#
                    + #""top_logprobs":[{"x":-0.0,"No":-9999.0}],"text_offset":[2]}}"# + "\n\n"
                    + C.lastFrame("stop", 7, 2, "counted"))
        }
    }

    @Test("of a server that speaks completions and lists tokens as chat models do are understood")
    func mixedForm() {
        let run = MachineRun(
            Self.event("a", logprobs: #"{"content":[{"id":3,"token":"a","bytes":[97],"logprob":-0.1,"top_logprobs":[]}]}"#),
            wantsLogprobs: true, ends: false)
        #expect(
            run.text == #"data: {"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-0.1],"top_logprobs":[{"a":-0.1}],"#
                + #""text_offset":[0]}}"# + "\n\n")
    }

    @Test("spread over several lines by the upstream come in one")
    func oneLine() throws {
        let run = MachineRun(
            "data: {\"choices\":[{\"text\":\"a\",\"logprobs\":{\"tokens\":\ndata: [\"a\"],\ndata: \"token_logprobs\":[null]}}]}\n\n",
            wantsLogprobs: true, ends: false)
        #expect(
            run.text == #"data: {"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[null],"top_logprobs":[null],"#
                + #""text_offset":[0]}}"# + "\n\n")
    }

    @Test("of a token without a text yet have a frame of their own")
    func noText() {
        let run = MachineRun(
            Self.event(
                "", logprobs: #"{"tokens":["bytes:\\xe2"],"token_logprobs":[-1.0],"top_logprobs":null,"text_offset":[4]}"#),
            wantsLogprobs: true, ends: false)
        #expect(
            run.text == #"data: {"text":"","logprobs":{"tokens":["bytes:\\xe2"],"token_logprobs":[-1.0],"#
                + #""top_logprobs":[null],"text_offset":[4]}}"# + "\n\n")
    }

    static let strange = [
        "1", "\"a\"", "true", "[]", #"{"tokens":["a"]}"#, #"{"tokens":["a"],"token_logprobs":[]}"#,
        #"{"tokens":"a","token_logprobs":[1]}"#, #"{"tokens":[1],"token_logprobs":[1]}"#,
        #"{"tokens":["a"],"token_logprobs":["1"]}"#, #"{"tokens":["a"],"token_logprobs":[1],"top_logprobs":[1]}"#,
        #"{"tokens":["a"],"token_logprobs":[1],"top_logprobs":[{"a":"b"}]}"#,
        #"{"tokens":["a"],"token_logprobs":[1],"text_offset":["0"]}"#,
        #"{"tokens":["a"],"token_logprobs":[1],"text_offset":[0,1]}"#,
        #"{"tokens":["\ud800"],"token_logprobs":[1]}"#, #"{"content":{}}"#, #"{"content":[{"token":"a"}]}"#,
        #"{"content":[{"token":"a","logprob":1,"top_logprobs":[{"token":1,"logprob":1}]}]}"#,
        #"{"content":[{"token":"a","logprob":1,"top_logprobs":7}]}"#,
        #"{"content":[{"token":"a","logprob":1,"top_logprobs":[\#(likeliest(65))]}]}"#,
        #"{"tokens":["a"],"token_logprobs":[1],"top_logprobs":[{\#((0..<65).map { "\"\($0)\":-1" }.joined(separator: ","))}]}"#,
    ]

    /// So many alternatives as chat models list them.
    private static func likeliest(_ count: Int) -> String {
        (0..<count).map { #"{"token":"\#($0)","logprob":-1}"# }.joined(separator: ",")
    }

    @Test("have as many alternatives a token as any upstream gives")
    func manyAlternatives() {
        let logprobs = #"{"content":[{"token":"0","logprob":-1,"top_logprobs":[\#(Self.likeliest(64))]}]}"#
        #expect(MachineRun(Self.event("a", logprobs: logprobs), wantsLogprobs: true, ends: false).text.contains(#""63":-1}"#))
    }

    @Test("of another form are a malformed event, where they were asked for", arguments: strange)
    func strangeForm(logprobs: String) {
        let upstream = C.event("a") + Self.event("b", logprobs: logprobs)
        let run = MachineRun(upstream, wantsLogprobs: true, ends: false)
        #expect(run.text == C.frame("a"))
        guard case .failed(.malformedEvent) = run.step else {
            Issue.record("\(logprobs) ended as \(run.step)")
            return
        }
        #expect(MachineRun(upstream, ends: false).step == .goesOn)
    }

    @Test(
        "whose offsets no text has are a malformed event, and nothing overflows",
        arguments: [
            "9223372036854775807", "9223372036854775806", "-9223372036854775808", "9223372036854775808", "-1", "4294967297",
            "1.5", "1e2",
        ])
    func absurdOffset(offset: String) {
        let logprobs = #"{"tokens":["ab","c"],"token_logprobs":[-1,-1],"text_offset":[\#(offset),null]}"#
        let run = MachineRun(Self.event("abc", logprobs: logprobs), wantsLogprobs: true, ends: false)
        #expect(run.step == .failed(.malformedEvent("logprobs of another form")))
        #expect(run.output.isEmpty)
    }

    @Test("may begin where the longest text would end")
    func highestOffset() {
        let logprobs = #"{"tokens":["ab","c"],"token_logprobs":[-1,-1],"text_offset":[4294967296,null]}"#
        let run = MachineRun(Self.event("abc", logprobs: logprobs), wantsLogprobs: true, ends: false)
        #expect(run.text.contains(#""text_offset":[4294967296,4294967298]"#))
    }

    private static func entries(_ count: Int, size: Int) -> String {
        let tokens = (0..<count).map { "\"\($0)\(String(repeating: "t", count: size))\"" }.joined(separator: ",")
        let numbers = Array(repeating: "-1.5", count: count).joined(separator: ",")
        return #"{"tokens":[\#(tokens)],"token_logprobs":[\#(numbers)]}"#
    }

    @Test("that do not fit beside their text come after it, and no frame is longer than 16 KiB")
    func tooLongForOneFrame() throws {
        for (text, count, size) in [(16_000, 1, 400), (40_000, 5, 100), (10, 40, 1_000), (0, 3, 16_000), (17_000, 700, 30)] {
            let text = String(repeating: "x", count: text)
            let upstream = Self.event(text, logprobs: Self.entries(count, size: size), finish: "\"stop\"") + C.done
            let run = MachineRun(upstream, wantsLogprobs: true)
            #expect(run.step == .done)
            try Frames.check(run.output)
            #expect(try ReferenceClient.text(ofReads: FrameTests.frames(run.text)) == text)
            var tokens: [String] = []
            var lengthBefore = 0
            for frame in FrameTests.frames(run.text).dropLast(2) {
                let object = try #require(try JSONValue(parsing: Array(frame.dropFirst(6))).object)
                // The text is out before what is said about it.
                #expect(tokens.isEmpty || object["text"]?.string == "")
                lengthBefore += object["text"]?.string?.utf8.count ?? 0
                tokens += object["logprobs"]?.object?["tokens"]?.array?.compactMap(\.string) ?? []
            }
            #expect(lengthBefore == text.utf8.count)
            #expect(tokens == (0..<count).map { "\($0)\(String(repeating: "t", count: size))" })
            // One event, one token as far as is known, however many frames.
            #expect(run.progress.completionTokens == 1)
        }
    }

    @Test("of a single token that exceed a frame fail the stream, after its text")
    func tooLongForAnyFrame() {
        let run = MachineRun(Self.event("a", logprobs: Self.entries(1, size: 17_000)), wantsLogprobs: true)
        #expect(run.text == C.frame("a"))
        #expect(run.step == .failed(.tooLarge))
    }

    @Test("are collected up to a bound")
    func bounded() {
        let event = Self.event("a", logprobs: Self.entries(1, size: 500_000))
        #expect(MachineRun(String(repeating: event, count: 8), form: .text, wantsLogprobs: true, ends: false).step == .goesOn)
        #expect(
            MachineRun(String(repeating: event, count: 9), form: .text, wantsLogprobs: true, ends: false).step
                == .failed(.tooLarge))
    }

    @Test("damaged by anybody never give a malformed frame")
    func damaged() throws {
        var generator = DialectTests.Generator(state: 0x2545_F491_4F6C_DD1D)
        let bytes = Array("\"\\{}[],:\r\n du0x189-.e".utf8) + [0x80, 0xFF]
        for _ in 0..<1500 {
            var damaged = Array(Self.recorded.utf8)
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = bytes.randomElement(using: &generator) ?? 0
            }
            let run = MachineRun([damaged], wantsLogprobs: true)
            try Frames.check(run.output)
        }
    }

    @Test(
        "text offsets count Unicode scalars, escapes resolved",
        arguments: [
            ("", 0), ("abc", 3), ("é", 1), ("😀", 1), (#"\n\t"#, 2), (#"\u00e9"#, 1), (#"\ud83d\ude00"#, 1), (#"\\u0041"#, 6),
            (#"a\"b"#, 3), ("e\u{301}", 2),
        ])
    func scalars(text: String, count: Int) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { EscapedText.scalarCount($0) } == count)
    }
}
