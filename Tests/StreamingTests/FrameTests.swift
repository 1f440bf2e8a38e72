import Foundation
import PlaygroundCore
import Testing

@testable import Streaming

@Suite struct FrameTests {
    /// Strings that break careless writers of JSON or of events.
    static let hostile: [String] = [
        "\n\ndata: {\"text\":\"forged\"}\n\n", "data: [DONE]", "\r\n\r\n", "\"}\n\ndata: [DONE]\n\n", "\\", "\\\\\"",
        "\u{2028}\u{2029}",
        "\u{0}\u{1}\u{1F}\u{7F}", "event: error", ": comment", "é😀👩‍👩‍👧‍👦", "\u{FEFF}", "\u{FFFD}", "[DONE]", "\\u0041", "</script>",
        "null",
        "\",\"finish_reason\":\"stop", "日本語", "\u{10FFFF}", " ", "\t",
    ]

    static func escaped(_ text: String, asASCII: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case _ where scalar.value < 0x20 || (asASCII && scalar.value > 0x7E):
                for unit in String(scalar).utf16 { escaped += "\\u" + String(Int(unit) + 0x10000, radix: 16).suffix(4) }
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// One send for each frame, as a client that keeps up reads them.
    static func frames(_ body: String) -> [[UInt8]] {
        body.components(separatedBy: "\n\n").dropLast().map { Array("\($0)\n\n".utf8) }
    }

    @Test("whatever text the upstream sends, the reference client gets exactly that text", arguments: [true, false])
    func nothingForged(asASCII: Bool) throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let texts = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                    Self.hostile.randomElement(using: &generator) ?? ""
                }.joined(separator: Bool.random(using: &generator) ? "" : "x")
            }
            let upstream =
                texts.map { Completions.event(Self.escaped($0, asASCII: asASCII)) }.joined()
                + Completions.event("", finish: "stop") + Completions.done
            let run = MachineRun(upstream, asksForUsage: false)
            #expect(run.step == .done)
            // Byte for byte: == takes canonically equivalent strings for equal.
            let wanted = Array(texts.joined().utf8)
            #expect(try Array(ReferenceClient.text(ofReads: [run.output]).utf8) == wanted)
            #expect(try Array(ReferenceClient.text(ofReads: Self.frames(run.text)).utf8) == wanted)
            let count = texts.filter { !$0.isEmpty }.count + 2
            #expect(Self.frames(run.text).count == count)
        }
    }

    static let units: [String] = [
        "x", "é", "日", "😀", "\\n", "\\\\", "\\u00e9", "\\ud83d\\ude00", "a\\\"", "x😀\\ud83d\\ude00\\\\",
    ]

    @Test("a long text is split into frames of at most 16 KiB, each of them whole JSON", arguments: units)
    func splitting(unit: String) throws {
        for shift in 0..<13 {
            let count = (3 * StreamFrame.limit) / unit.utf8.count
            let text = String(repeating: "x", count: shift) + String(repeating: unit, count: count)
            let run = MachineRun(Completions.event(text, finish: "stop") + Completions.done)
            #expect(run.step == .done)
            let frames = Self.frames(run.text)
            #expect(frames.count >= 5)
            #expect(frames.allSatisfy { $0.count <= StreamFrame.limit })
            // No frame is much shorter than it might be.
            #expect(frames.dropLast(3).allSatisfy { $0.count > StreamFrame.limit - 16 })
            let wanted = try JSONSerialization.jsonObject(with: Data("\"\(text)\"".utf8), options: .fragmentsAllowed) as? String
            #expect(try ReferenceClient.text(ofReads: frames) == wanted)
            // One event, one token, however many frames.
            #expect(run.progress.completionTokens == 1)
        }
    }

    @Test(
        "half a surrogate pair is found, a whole one is not",
        arguments: [
            (#"\ud800"#, true), (#"\uDFFF"#, true), (#"\ud83d\ude00"#, false), (#"\uD83D\uDE00"#, false),
            (#"\ude00\ud83d"#, true),
            (#"\ud83dx\ude00"#, true), (#"\ud83d\n"#, true), (#"\ud83d\ud83d\ude00"#, true), (#"\\ud800"#, false),
            (#"\\\ud800"#, true), (#"\ud7ff\ue000"#, false), ("", false), (#"\ud83d\u0041"#, true),
        ])
    func surrogates(text: String, isLone: Bool) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBufferPointer { EscapedText.hasLoneSurrogate($0) } == isLone)
    }
}
