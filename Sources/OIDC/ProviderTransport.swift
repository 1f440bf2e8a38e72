package import EventLoop
import HTTPClient

/// Asks providers over HTTP. Belongs to its loop; keeps a client for each of the few origins that providers have.
package final class ProviderTransport {
    /// For the whole of one request, from connecting to the last byte.
    static let timeout = Duration.seconds(5)
    static let maximumBytes = 256 * 1024
    private static let maximumOrigins = 64

    /// What a provider answered, whatever its status.
    struct Answer {
        let status: Int
        let body: [UInt8]
    }

    private let io: LoopIO
    private var clients: [(origin: Origin, client: HTTPClient)] = []

    package init(io: LoopIO) { self.io = io }

    /// Closes idle connections; nothing is asked any more.
    package func close() {
        for (_, client) in clients { client.close() }
    }

    /// Sends one request and reads the whole answer. Redirects are answers like any other.
    /// - Parameter what: for the log, in front of what went wrong.
    func ask(
        _ url: EndpointURL, _ what: String, fields: [(name: String, value: String)] = [], form: [UInt8]? = nil
    ) async throws(ProviderFailure) -> Answer {
        var fields = fields + [("Accept", "application/json")]
        if form != nil { fields.append(("Content-Type", "application/x-www-form-urlencoded")) }
        let request: ClientRequest
        let client: HTTPClient
        do {
            request = try ClientRequest(form == nil ? .get : .post, url.path, fields: fields, body: form ?? [])
            client = try self.client(url.origin)
        } catch {
            throw ProviderFailure("\(what): \(error)")
        }
        let result = await withUnsafeContinuation { continuation in
            AnswerReceiver(io: io) { continuation.resume(returning: $0) }.start(request, client)
        }
        do throws(AnswerReceiver.Failure) { return try result.get() } catch { throw ProviderFailure("\(what): \(error.text)") }
    }

    private func client(_ origin: Origin) throws(ClientConfigurationError) -> HTTPClient {
        if let known = clients.first(where: { $0.origin == origin }) { return known.client }
        var configuration = ClientConfiguration()
        configuration.maxConnecting = 8
        configuration.maxWaiting = 256
        configuration.maxIdle = 2
        configuration.idleTimeout = .seconds(30)
        let client = try HTTPClient(origin: origin, configuration: configuration, io: io)
        if clients.count >= Self.maximumOrigins { clients.removeFirst().client.close() }
        clients.append((origin, client))
        return client
    }
}

/// Gathers one answer, within a time and a size.
private final class AnswerReceiver: ResponseReceiver {
    struct Failure: Error {
        let text: String
    }

    private let io: LoopIO
    private var completion: ((Result<ProviderTransport.Answer, Failure>) -> Void)?
    private var exchange: Exchange?
    private var timer: LoopTimer?
    private var status = 0
    private var body: [UInt8] = []

    init(io: LoopIO, completion: @escaping (Result<ProviderTransport.Answer, Failure>) -> Void) {
        self.io = io
        self.completion = completion
    }

    /// It is held by the timer until the end.
    func start(_ request: ClientRequest, _ client: HTTPClient) {
        let timeouts = ExchangeTimeouts(connect: ProviderTransport.timeout, firstByte: ProviderTransport.timeout)
        let timer = LoopTimer { self.end(.failure(Failure(text: "no answer in time"))) }
        self.timer = timer
        io.schedule(timer, after: ProviderTransport.timeout)
        exchange = client.send(request, timeouts: timeouts, to: self)
    }

    func headReceived(_ head: ClientResponse) { status = head.status }

    func bodyReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard body.count + bytes.count <= ProviderTransport.maximumBytes else {
            return end(.failure(Failure(text: "the answer has more than \(ProviderTransport.maximumBytes) bytes")))
        }
        body.append(contentsOf: bytes)
    }

    func readEnded() {}
    func completed() { end(.success(ProviderTransport.Answer(status: status, body: body))) }
    func failed(_ error: ClientError) { end(.failure(Failure(text: error.description))) }

    /// The one place where who waits is told.
    private func end(_ result: Result<ProviderTransport.Answer, Failure>) {
        guard let completion else { return }
        self.completion = nil
        if let timer { io.cancel(timer) }
        timer = nil
        exchange?.cancel()
        exchange = nil
        completion(result)
    }
}
