import EventLoop

/// What a ``ServerSentEventParser`` keeps of an event that one read did not bring whole. It exists only meanwhile, so
/// that a stream at rest holds no buffer.
struct CutEvent: ~Copyable {
    /// The beginning of a line whose end has not come.
    var line = OutputBuffer(capacity: 256)
    /// The values of the data lines so far, joined by line feeds.
    var data = OutputBuffer(capacity: 256)
    /// Tells an empty data line from none.
    var hasData = false
    var type: [UInt8] = []
    /// The event is complete and was given out; it ends with the next question.
    var isGiven = false
}
