import EventLoop
import HTTPServer

/// Writes a long answer piece by piece, and waits where the client is slower than we are.
final class AnswerWriter: ByteSource {
    private let stream: ResponseStream
    private let io: LoopIO
    private var resume: (() -> Void)?

    init(_ stream: ResponseStream, io: LoopIO) {
        self.stream = stream
        self.io = io
        stream.source = self
    }

    /// The client has gone: writing on is of no use.
    var isClosed: Bool { stream.isClosed }

    /// Returns when there is room for more.
    func write(_ text: String, last: Bool = false) async {
        var text = text
        text.withUTF8 { bytes in
            io.output.pointee.removeAll()
            io.output.pointee.append(bytes)
        }
        stream.write(io.output, last: last)
        if last { return stream.source = nil }
        await withUnsafeContinuation { continuation in
            guard stream.isFull, !stream.isClosed else { return continuation.resume() }
            resume = { continuation.resume() }
        }
    }

    func sinkDrained() { wake() }
    func sinkClosed() { wake() }

    private func wake() {
        let resume = resume
        self.resume = nil
        resume?()
    }
}
