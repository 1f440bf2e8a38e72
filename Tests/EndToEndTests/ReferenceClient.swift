import Foundation
import StrictJSON
import TestSupport

/// The reference client's way of reading a stream: each read is cut at blank lines, nothing carried over.
struct ReferenceClient {
    private(set) var text = ""
    private(set) var isDone = false
    /// The last data frame before `[DONE]`.
    private(set) var last: JSONObject?

    mutating func read(_ bytes: [UInt8]) throws {
        for piece in String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n") {
            guard piece.hasPrefix("data: ") else { continue }
            if piece == "data: [DONE]" {
                isDone = true
                continue
            }
            let object = try JSONValue(parsing: String(piece.dropFirst(6))).object
            guard let added = object?["text"]?.string else { throw TestFailure("a data frame without text: \(piece)") }
            text += added
            last = object
        }
    }
}

/// Takes the chunked coding off as bytes come, holding nothing back: what a browser's stream reader gives for each read.
struct ChunkUnwrapper {
    private enum Place { case sizeLine, payload(Int), lineEnd(Int) }
    private var place = Place.sizeLine
    private var line = ""
    /// The chunk of size zero has come.
    private(set) var isAtEnd = false

    mutating func take(_ bytes: [UInt8]) throws -> [UInt8] {
        var payload: [UInt8] = []
        var rest = bytes[...]
        while !isAtEnd, let byte = rest.first {
            switch place {
            case .sizeLine:
                rest = rest.dropFirst()
                line.unicodeScalars.append(Unicode.Scalar(byte))
                guard line.hasSuffix("\r\n") else { continue }
                guard let size = Int(line.dropLast(1), radix: 16) else { throw TestFailure("not a chunk size: \(line)") }
                line = ""
                isAtEnd = size == 0
                place = .payload(size)
            case .payload(let left):
                let piece = rest.prefix(left)
                payload += piece
                rest = rest.dropFirst(piece.count)
                place = piece.count == left ? .lineEnd(2) : .payload(left - piece.count)
            case .lineEnd(let left):
                rest = rest.dropFirst()
                place = left == 1 ? .sizeLine : .lineEnd(1)
            }
        }
        return payload
    }
}
