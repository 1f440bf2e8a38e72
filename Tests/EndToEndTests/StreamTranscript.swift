import Foundation
import StrictJSON
import TestSupport

/// An event stream that was read to its end, taken apart strictly: every block is `data: ` and one line, a comment, or an error.
struct StreamTranscript {
    /// The JSON frames, in order.
    private(set) var frames: [JSONObject] = []
    private(set) var comments = 0
    /// The problem of `event: error`.
    private(set) var error: JSONObject?
    private(set) var isDone = false
    /// The longest frame, its blank line included, in bytes.
    private(set) var longestFrame = 0

    var text: String { frames.compactMap { $0["text"]?.string }.joined() }
    var usage: JSONObject? { frames.last?["usage"]?.object }

    init(_ body: [UInt8]) throws {
        let whole = String(decoding: body, as: UTF8.self)
        guard whole.hasSuffix("\n\n") else { throw TestFailure("the stream ends inside a block: \(whole.suffix(100))") }
        for block in whole.dropLast(2).components(separatedBy: "\n\n") {
            guard error == nil, !isDone else { throw TestFailure("something behind the end: \(block)") }
            if block.hasPrefix(": ") {
                comments += 1
            } else if block == "data: [DONE]" {
                isDone = true
            } else if block.hasPrefix("event: error\ndata: ") {
                error = try JSONValue(parsing: String(block.dropFirst(19))).object
            } else if block.hasPrefix("data: "), !block.contains("\n"), !block.contains("\r") {
                guard let frame = try JSONValue(parsing: String(block.dropFirst(6))).object, frame["text"]?.string != nil else {
                    throw TestFailure("a data frame without text: \(block)")
                }
                longestFrame = max(longestFrame, block.utf8.count + 2)
                frames.append(frame)
            } else {
                throw TestFailure("neither a data frame, nor a comment, nor an error: \(block)")
            }
        }
    }
}
