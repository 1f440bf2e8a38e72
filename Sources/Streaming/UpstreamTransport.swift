package import EventLoop

/// Carries requests to the upstream; a seam, so that a relay can be driven without a network. One for each loop.
package protocol UpstreamTransport: AnyObject {
    /// Sends one completion request. The relay is told of the answer by calls on the loop, never before this has returned:
    /// `answered`, `bodyReceived` and `readEnded`, then either `completed` or `failed`.
    func send(_ body: [UInt8], to relay: CompletionRelay) -> any UpstreamExchange
}

/// One request and its answer, as a relay steers it.
package protocol UpstreamExchange: AnyObject {
    /// Whether there is a connection, on which the request goes out.
    var isConnected: Bool { get }
    /// Says what each further piece of the answer will touch.
    func willTouch(_ trail: Trail)
    /// Stops reading. Bytes that were read already may still come.
    func pause()
    func resume()
    /// Closes the connection now; nothing is called after that. May be called at any time, and again.
    func cancel()
}
