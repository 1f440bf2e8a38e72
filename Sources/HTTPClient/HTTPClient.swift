import CLibcurl
package import EventLoop
import Glibc

/// An HTTP/1.1 client of one origin on one loop: it connects through libcurl, keeps idle connections, and passes the
/// bytes of answers on as they come. Confined to its loop.
package final class HTTPClient {
    /// Where every request of this client goes.
    package let origin: Origin
    let io: LoopIO
    let connector: Connector
    let pool: LinkPool
    private(set) var isClosed = false

    /// Prepares libcurl for the process, and makes writing to a connection that the peer has closed an error instead of
    /// a signal. To be called once, before other threads are started.
    /// - Throws: when libcurl refuses.
    package static func initialize() throws(ClientConfigurationError) {
        signal(SIGPIPE, SIG_IGN)
        let code = clibcurl_initialize()
        if code != 0 { throw ClientConfigurationError("libcurl cannot be initialised (\(code))") }
    }

    /// - Throws: where the certificate authorities or the proxy cannot be used.
    package init(
        origin: Origin, configuration: ClientConfiguration = ClientConfiguration(), io: LoopIO
    ) throws(ClientConfigurationError) {
        self.origin = origin
        self.io = io
        connector = try Connector(io: io, origin: origin, configuration: configuration)
        pool = LinkPool(io: io, capacity: configuration.maxIdle, idleTimeout: configuration.idleTimeout)
    }

    /// Sends a request. Nothing is called on `receiver` before this has returned; it is held until the exchange is over.
    ///
    /// A request on a connection that was idle may reach the server twice: where the connection breaks within a second, before any
    /// byte of an answer, it is sent once more. Redirects are answers like any other.
    package func send(
        _ request: ClientRequest, timeouts: ExchangeTimeouts = ExchangeTimeouts(), to receiver: any ResponseReceiver
    ) -> Exchange {
        send(template(of: request), body: request.body, timeouts: timeouts, to: receiver)
    }

    /// The request as it goes to this origin.
    package func template(of request: ClientRequest) -> RequestTemplate { request.head(for: origin) }

    /// The same as ``send(_:timeouts:to:)`` for a request that is sent many times.
    package func send(
        _ template: RequestTemplate, body: [UInt8], timeouts: ExchangeTimeouts, to receiver: any ResponseReceiver
    ) -> Exchange {
        let exchange = Exchange(client: self, request: template.encoded(body), timeouts: timeouts, receiver: receiver)
        exchange.start()
        return exchange
    }

    /// Closes idle connections and refuses further requests. Exchanges under way go on to their end.
    package func close() {
        isClosed = true
        pool.close()
    }

    /// Connections kept for reuse at the moment.
    package var idleCount: Int { pool.count }
}
