/// Why an exchange failed. Its text names addresses at most, never anything of the request.
package struct ClientError: Error, Equatable, CustomStringConvertible {
    package enum Reason: Error, Equatable {
        /// No connection came about, for this reason: name not found, refused, proxy.
        case connect(String)
        case connectTimedOut
        /// No connection came about, because too many others were to be made first: nothing is known of the server.
        case crowded
        /// The TLS handshake failed: certificate not trusted, wrong host name, no common version.
        case tls(String)
        /// The request was sent and nothing came back.
        case firstByteTimedOut
        /// The connection broke: RST, or a TLS session that was cut.
        case reset
        /// The peer ended the connection before the answer was complete.
        case truncated
        /// The answer is not HTTP/1.1 as we accept it.
        case malformed(String)
        /// The answer's head is larger than we accept.
        case headTooLarge
    }

    package let reason: Reason
    /// Whether ``ResponseReceiver/headReceived(_:)`` had been called.
    package let isAfterHead: Bool

    package init(_ reason: Reason, isAfterHead: Bool) {
        self.reason = reason
        self.isAfterHead = isAfterHead
    }

    package var description: String {
        let text =
            switch reason {
            case .connect(let detail): "no connection: \(detail)"
            case .connectTimedOut: "no connection in time"
            case .crowded: "too many connections wait to be made"
            case .tls(let detail): "TLS: \(detail)"
            case .firstByteTimedOut: "no answer in time"
            case .reset: "the connection broke"
            case .truncated: "the answer was cut off"
            case .malformed(let detail): "malformed answer: \(detail)"
            case .headTooLarge: "the answer's head is too large"
            }
        return isAfterHead ? text + " (after the head)" : text
    }
}

/// A base URL, certificate file or request field that cannot be used. Never quotes the value.
package struct ClientConfigurationError: Error, Equatable, CustomStringConvertible {
    /// To be put behind the name of what was configured: `must begin with http:// or https://`.
    package let description: String

    init(_ description: String) { self.description = description }
}
