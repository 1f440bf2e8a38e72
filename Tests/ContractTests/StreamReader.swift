import Foundation

struct CompletionChunk: Decodable, Sendable {
    var text: String
    var logprobs: Logprobs?
    var finishReason: String?
}

struct Logprobs: Decodable, Sendable {
    var tokens: [String]
    var tokenLogprobs: [Double?]
    var topLogprobs: [[String: Double]?]
    var textOffset: [Int]
}

/// The data of the problem object; nil where the stream was cut off.
struct CompletionFailed: Error {
    var problem: Data?
}

func readCompletion<Bytes: AsyncSequence>(
    _ bytes: Bytes, onChunk: (CompletionChunk) -> Void
) async throws where Bytes.Element == UInt8 {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    var frame: [UInt8] = []
    for try await byte in bytes {
        frame.append(byte)
        guard frame.suffix(2).elementsEqual([10, 10]) else { continue }
        let lines = frame.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
        frame.removeAll(keepingCapacity: true)
        let event = lines.first { $0.hasPrefix("event: ") }
        guard let data = lines.first(where: { $0.hasPrefix("data: ") })?.dropFirst(6) else { continue }
        if event == "event: error" { throw CompletionFailed(problem: Data(data.utf8)) }
        if data == "[DONE]" { return }
        if event == nil { onChunk(try decoder.decode(CompletionChunk.self, from: Data(data.utf8))) }
    }
    throw CompletionFailed(problem: nil)
}
