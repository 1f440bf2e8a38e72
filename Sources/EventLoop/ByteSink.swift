/// Where the bytes of a stream go: the level at which a relay meets a connection without knowing HTTP.
/// Every call is made on the loop and returns at once.
package protocol ByteSink: AnyObject {
    /// Sends what `buffer` holds and empties it. Whole frames only: one call is one send while the peer keeps up.
    /// The first call commits the answer: from then on a failure can only be told inside the stream.
    /// - Parameter last: the body ends with these bytes.
    func write(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool)
    /// So many bytes are kept back for a slow peer that the source should not be read.
    var isFull: Bool { get }
    /// Adds what every write touches.
    func lay(_ trail: inout Trail)
    /// The peer has gone, or was cut: what is written is discarded.
    var isClosed: Bool { get }
    /// Who is told when there is room again, and when the peer goes away. Held strongly while the stream lasts.
    var source: (any ByteSource)? { get set }
}

/// Where the bytes of a stream come from.
package protocol ByteSource: AnyObject {
    /// There is room again after ``ByteSink/isFull``.
    func sinkDrained()
    /// The peer has gone (FIN, RST) or was cut because it took nothing for too long. Nothing more is called.
    func sinkClosed()
}
