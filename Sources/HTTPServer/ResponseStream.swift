package import EventLoop
import HTTPCore
import HTTPTypes

/// A streamed answer: chunked for HTTP/1.1, ended by closing for 1.0. Its head goes out with the first write.
package final class ResponseStream: ByteSink {
    private enum State { case prepared, streaming, finished }

    // Unchecked for overlapping accesses: nothing is called while one of these is held.
    @exclusivity(unchecked) private var state = State.prepared
    /// The encoded head waits for the first bytes.
    private var head: [UInt8]
    /// Until the head is sent another answer may still need its fields.
    private var request: Request?
    private let isChunked: Bool
    /// What its head says of the connection's future.
    let keepsAlive: Bool
    private let sendsBody: Bool
    /// The connection lets go of its stream when the request is answered.
    private let connection: Connection
    /// Told when the client takes bytes again, and when it has gone.
    package var source: (any ByteSource)?

    init(head: [UInt8], of request: Request, isChunked: Bool, keepsAlive: Bool, connection: Connection) {
        self.head = head
        self.request = request
        self.isChunked = isChunked
        self.keepsAlive = keepsAlive
        sendsBody = request.head.method != .head
        self.connection = connection
    }

    /// The head has been sent: the status stands.
    package var isCommitted: Bool { state != .prepared }

    /// The last byte has been handed over.
    package var isFinished: Bool { state == .finished }

    /// A slow client: more is kept back than the source should add to.
    package var isFull: Bool { connection.isFull }
    /// The client has gone; nothing reaches it any more.
    package var isClosed: Bool { connection.isGone }

    package func lay(_ trail: inout Trail) {
        trail.add(self, lines: 1)
        trail.add(connection, lines: 2)
    }

    package func write(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool) {
        if !sendsBody {
            buffer.pointee.removeAll()
        } else if isChunked {
            Self.frame(buffer, last: last)
        }
        switch state {
        case .streaming:
            if last { state = .finished }
            connection.transmit(buffer.pointee.bytes)
        case .prepared:
            state = last ? .finished : .streaming
            sendHead(with: buffer.pointee.bytes)
        case .finished:
            break
        }
        buffer.pointee.removeAll()
    }

    /// The one copy of a stream: head and first frame leave in one send.
    private func sendHead(with bytes: UnsafeBufferPointer<UInt8>) {
        var first = head
        head = []
        request?.responseFields = .init()
        request = nil
        first.append(contentsOf: bytes)
        first.withUnsafeBufferPointer { connection.transmit($0) }
    }

    /// Makes one chunk of the bytes in place (RFC 9112, 7.1).
    @inline(__always)
    private static func frame(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool) {
        let size = buffer.pointee.count
        if size > 0 {
            buffer.pointee.prepend(upTo: ChunkedEncoder.sizeLineLimit) { ChunkedEncoder.writeSizeLine(size, endingAt: $0) }
            buffer.pointee.append(ChunkedEncoder.dataEnd)
        }
        if last { buffer.pointee.append(ChunkedEncoder.lastChunk) }
    }
}
