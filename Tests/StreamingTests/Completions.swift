import EventLoop
import Foundation
import PlaygroundCore
import StrictJSON

@testable import Streaming

/// Upstream streams to feed, and what a client makes of ours.
enum Completions {
    /// One event as OpenAI writes it. `text` is the inside of a JSON string.
    static func event(_ text: String, finish: String? = nil, usage: String? = "null") -> String {
        let usage = usage.map { ",\"usage\":\($0)" } ?? ""
        let finish = finish.map { "\"\($0)\"" } ?? "null"
        return
            "data: {\"id\":\"cmpl-X\",\"object\":\"text_completion\",\"created\":1759118173,\"choices\":[{\"text\":\"\(text)\","
            + "\"index\":0,\"logprobs\":null,\"finish_reason\":\(finish)}],\"model\":\"babbage:2023-07-21-v2\"\(usage)}\n\n"
    }

    static func usage(_ prompt: Int, _ completion: Int) -> String {
        "data: {\"id\":\"cmpl-X\",\"usage\":{\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion),"
            + "\"total_tokens\":\(prompt + completion)},\"choices\":[]}\n\n"
    }

    static let done = "data: [DONE]\n\n"

    static func frame(_ text: String) -> String { "data: {\"text\":\"\(text)\"}\n\n" }

    static func lastFrame(
        _ finish: String, _ prompt: Int, _ completion: Int, _ source: String, maxTokens: Int = 100,
        details: String = ""
    ) -> String {
        "data: {\"text\":\"\",\"finish_reason\":\"\(finish)\",\"usage\":{\"prompt_tokens\":\(prompt),"
            + "\"completion_tokens\":\(completion),\"total_tokens\":\(prompt + completion),\"source\":\"\(source)\","
            + "\"max_tokens_applied\":\(maxTokens)\(details)}}\n\ndata: [DONE]\n\n"
    }
}

/// What a machine made of an upstream body that came in some reads.
struct MachineRun {
    var output: [UInt8] = []
    var step = CompletionStream.Step.goesOn
    var progress = Usage(promptTokens: 0, completionTokens: 0, source: .exact, maxTokensApplied: 0)
    var finishReason: String?
    var model: String?
    var isHoldFull = false
    var logprobs: String?

    var text: String { String(decoding: output, as: UTF8.self) }

    /// - Parameter ends: whether the upstream's body ends after the reads.
    init(
        _ reads: [[UInt8]], kind: UpstreamKind = .completion, form: CompletionStream.Form = .frames, wantsLogprobs: Bool = false,
        asksForUsage: Bool = true, ends: Bool = true
    ) {
        var stream = CompletionStream(
            kind: kind, promptEstimate: 7, maxTokensApplied: 100, wantsLogprobs: wantsLogprobs, asksForUsage: asksForUsage)
        stream.form = form
        var buffer = OutputBuffer(capacity: 64)
        withUnsafeMutablePointer(to: &buffer) { output in
            for read in reads where step == .goesOn {
                step = read.withUnsafeBufferPointer { stream.receive($0, into: output) }
            }
            if ends, step == .goesOn { step = stream.end() }
        }
        output = Array(buffer.bytes)
        progress = stream.progress
        finishReason = stream.finishReason
        model = stream.model
        isHoldFull = stream.isHoldFull
        logprobs = stream.collectedLogprobs.map { String(decoding: $0, as: UTF8.self) }
    }

    init(
        _ body: String, kind: UpstreamKind = .completion, form: CompletionStream.Form = .frames, wantsLogprobs: Bool = false,
        asksForUsage: Bool = true, ends: Bool = true
    ) {
        self.init(
            [Array(body.utf8)], kind: kind, form: form, wantsLogprobs: wantsLogprobs, asksForUsage: asksForUsage, ends: ends)
    }
}

/// The client that has to work unchanged: it cuts each read at blank lines, takes pieces that begin with `data: `, skips
/// `[DONE]` and appends `text` of every other.
enum ReferenceClient {
    struct Failure: Error {}

    static func text(ofReads reads: [[UInt8]]) throws -> String {
        var text = ""
        for read in reads {
            for piece in String(decoding: read, as: UTF8.self).components(separatedBy: "\n\n") {
                guard piece.hasPrefix("data: ") else { continue }
                let json = piece.dropFirst("data: ".count)
                if json == "[DONE]" { continue }
                // Foundation's reader loses a byte order mark at the start of a string.
                let frame = try JSONValue(parsing: Array(json.utf8), limits: JSONLimits(allowsNullCharacter: true))
                guard let added = frame.object?["text"]?.string else { throw Failure() }
                text += added
            }
        }
        return text
    }
}
