package import EventLoop
import HTTPCore

/// A streamed answer: chunked for HTTP/1.1, ended by closing for 1.0. Its head goes out with the first write.
package final class ResponseStream: ByteSink {
    private enum State {
        /// The encoded head waits for the first bytes.
        case prepared(head: [UInt8])
        case streaming
        case finished
    }

    private var state: State
    private let isChunked: Bool
    /// What its head says of the connection's future.
    let keepsAlive: Bool
    private let sendsBody: Bool
    private unowned let connection: Connection
    /// Told when the client takes bytes again, and when it has gone.
    package var source: (any ByteSource)?

    init(head: [UInt8], isChunked: Bool, keepsAlive: Bool, sendsBody: Bool, connection: Connection) {
        state = .prepared(head: head)
        self.isChunked = isChunked
        self.keepsAlive = keepsAlive
        self.sendsBody = sendsBody
        self.connection = connection
    }

    /// The head has been sent: the status stands.
    package var isCommitted: Bool {
        if case .prepared = state { false } else { true }
    }

    /// The last byte has been handed over.
    package var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    /// A slow client: more is kept back than the source should add to.
    package var isFull: Bool { connection.isFull }
    /// The client has gone; nothing reaches it any more.
    package var isClosed: Bool { connection.isGone }

    package func write(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool) {
        defer { buffer.pointee.removeAll() }
        if !sendsBody { buffer.pointee.removeAll() }
        if isChunked, sendsBody { Self.frame(buffer, last: last) }
        switch state {
        case .prepared(var head):
            // The one copy of a stream: head and first frame leave in one send.
            head.append(contentsOf: buffer.pointee.bytes)
            state = last ? .finished : .streaming
            head.withUnsafeBufferPointer { connection.transmit($0) }
        case .streaming:
            if last { state = .finished }
            connection.transmit(buffer.pointee.bytes)
        case .finished:
            return
        }
    }

    /// Makes one chunk of the bytes in place (RFC 9112, 7.1).
    private static func frame(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool) {
        let size = buffer.pointee.count
        if size > 0 {
            buffer.pointee.prepend(upTo: ChunkedEncoder.sizeLineLimit) { ChunkedEncoder.writeSizeLine(size, endingAt: $0) }
            buffer.pointee.append(ChunkedEncoder.dataEnd)
        }
        if last { buffer.pointee.append(ChunkedEncoder.lastChunk) }
    }
}
