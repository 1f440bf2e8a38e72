import EventLoop

/// What a client's connections have in common, beside the origin.
package struct ClientConfiguration: Sendable {
    /// Connections being made at the same time, TLS handshake included; further ones wait in line. Each holds about
    /// 13 KiB in libcurl while it is made, and thousands at once leave the heap in pieces.
    package var maxConnecting = 64
    /// Exchanges that may wait in that line. What comes on top fails at once.
    package var maxWaiting = 16_384
    /// Idle connections kept for reuse. One more closes the one that was idle longest.
    package var maxIdle = 512
    /// How long an idle connection is kept. Below what servers commonly allow (nginx: 75 s), so that few are met that
    /// the server is just closing.
    package var idleTimeout = Duration.seconds(60)
    /// A PEM file with the authorities to trust instead of the system's.
    package var caFile: String?
    /// An http:// proxy, asked to CONNECT for http and https alike. Proxies named in the environment are not used.
    package var proxy: Origin?

    package init() {}
}

/// How long one exchange may take until its answer begins. What comes after that is judged by who receives it: only the receiver
/// knows which bytes are progress.
package struct ExchangeTimeouts: Sendable {
    /// Waiting in line, name look-up, connect and TLS handshake together.
    package let connect: Duration
    /// From the request being sent to the first byte of the answer; also each pause while it is being sent.
    package let firstByte: Duration
    /// As the loop counts.
    let (connectMilliseconds, firstByteMilliseconds): (Int64, Int64)

    package init(connect: Duration = .seconds(5), firstByte: Duration = .seconds(60)) {
        self.connect = connect
        self.firstByte = firstByte
        connectMilliseconds = connect.wholeMilliseconds
        firstByteMilliseconds = firstByte.wholeMilliseconds
    }
}
