/// The bounds a server holds its clients to. Every wait has a deadline and every buffer a size.
package struct ServerConfiguration: Sendable {
    /// A numeric address or `localhost`.
    package var host = "127.0.0.1"
    /// 0 takes a free port.
    package var port: UInt16 = 8080
    /// Accepted connections over all loops; the ones beyond it are answered 503 or closed at once.
    package var maxConnections = 9_872
    /// Accepted connections of one client address; nil for no limit.
    package var maxConnectionsPerAddress: Int?
    /// New connections go to the first loop that has had less than this part of one processor lately.
    package var fillLoopsTo = 0.6
    /// A loop that has had more than this gives connections away, between two requests, to one that is below ``fillLoopsTo``.
    package var relieveLoopsFrom = 0.75
    /// From accept to a new connection's first byte.
    package var firstByteTimeout: Duration = .seconds(15)
    /// From a request's first byte to the end of its header section; a trickle does not extend it.
    package var headTimeout: Duration = .seconds(10)
    /// The largest body any route takes, in bytes. A larger declared one is refused before anybody looks at the path.
    package var maxBody = 256 * 1024
    /// Silence between two reads of a body.
    package var bodyIdleTimeout: Duration = .seconds(10)
    /// A whole body.
    package var bodyTimeout: Duration = .seconds(30)
    /// What a body must bring on average once ``bodyGrace`` has passed, in bytes a second.
    package var bodyMinimumRate = 500
    package var bodyGrace: Duration = .seconds(5)
    /// For the request of a connection beyond ``maxConnections``, from accept to the end of its header section: such
    /// places are few, and the probes of a balancer need them.
    package var overflowTimeout: Duration = .seconds(1)
    /// Between two requests of one connection.
    package var keepAliveTimeout: Duration = .seconds(75)
    package var maxRequestsPerConnection = 1_000
    /// A client that takes nothing of what waits for it for so long is cut, also while its source is paused.
    package var writeStallTimeout: Duration = .seconds(30)
    /// What a client must take on average of a complete answer that waits for it, in bytes a second, once
    /// ``writeStallTimeout`` has passed.
    package var sendMinimumRate = 500
    /// Unread body bytes taken in after an early answer, so that the client can read the answer before it sees a reset.
    package var lingerBytes = 4 * 1024 * 1024
    package var lingerTimeout: Duration = .milliseconds(500)
    /// Bytes kept back for a slow client above which its source is not read. What one read of the source makes of it comes on top:
    /// together at most 64 KiB.
    package var highWatermark = 32 * 1024
    /// Bytes kept back below which the source is read again.
    package var lowWatermark = 8 * 1024

    package init() {}
}
