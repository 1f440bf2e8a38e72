import EventLoop
package import HTTPClient
package import PlaygroundCore

/// Sends completion requests over HTTP, with the secret key. One for each loop, as its client is.
package final class HTTPUpstreamTransport: UpstreamTransport {
    private let client: HTTPClient
    private let kind: UpstreamKind
    private var request: RequestTemplate
    private let timeouts: ExchangeTimeouts

    /// - Parameters:
    ///   - key: sent as a bearer token, to the client's origin and nowhere else: redirects are not followed.
    ///   - headers: sent with every request, behind what the protocol needs.
    /// - Throws: where the key or one of the headers cannot stand in a request.
    package init(
        client: HTTPClient, kind: UpstreamKind = .completion, key: Secret?, headers: [(name: String, value: String)] = [],
        timeouts: ExchangeTimeouts = ExchangeTimeouts()
    ) throws(ClientConfigurationError) {
        self.client = client
        self.timeouts = timeouts
        self.kind = kind
        request = client.template(of: try Self.request(kind, key, headers))
    }

    /// Authenticates with these from the next request on.
    /// - Throws: as `init` does; nothing is changed then.
    package func use(key: Secret?, headers: [(name: String, value: String)]) throws(ClientConfigurationError) {
        request = client.template(of: try Self.request(kind, key, headers))
    }

    private static func request(
        _ kind: UpstreamKind, _ key: Secret?, _ headers: [(name: String, value: String)]
    ) throws(ClientConfigurationError) -> ClientRequest {
        var fields = [
            (name: "Content-Type", value: "application/json"), (name: "Accept", value: "text/event-stream"),
            (name: "Accept-Encoding", value: "identity"),
        ]
        if let key {
            fields.append(("Authorization", key.withBytes { "Bearer " + String(decoding: $0, as: UTF8.self) }))
        }
        let path =
            switch kind {
            case .completion: "/completions"
            case .chat: "/chat/completions"
            }
        return try ClientRequest(.post, path, fields: fields + headers)
    }

    package func send(_ body: [UInt8], to relay: CompletionRelay) -> any UpstreamExchange {
        client.send(request, body: body, timeouts: timeouts, to: relay)
    }
}

extension Exchange: UpstreamExchange {}

extension CompletionRelay: ResponseReceiver {
    package func headReceived(_ head: ClientResponse) {
        let isRefusal = head.status != 200
        answered(
            UpstreamAnswer(
                status: head.status, contentType: head.value(of: "content-type"),
                retryAfter: isRefusal ? head.value(of: "retry-after") : nil,
                retryAfterMilliseconds: isRefusal ? head.value(of: "retry-after-ms") : nil,
                unixSeconds: SystemClock.microseconds() / 1_000_000))
    }

    package func failed(_ error: ClientError) { failed(UpstreamFault(error)) }
}

extension UpstreamFault {
    init(_ error: ClientError) {
        switch error.reason {
        case .connectTimedOut: self = .timedOut(.connect)
        case .firstByteTimedOut: self = .timedOut(.firstByte)
        case .connect: self = .unreachable(error.description)
        case .crowded: self = .crowded
        // A certificate that is not trusted now is not trusted a moment later.
        case .tls, .reset, .truncated: self = .brokeOff(error.description, isAfterHead: error.isAfterHead)
        case .malformed, .headTooLarge: self = .malformedAnswer(error.description)
        }
    }
}
