import EventLoop

@testable import HTTPClient

/// Records an answer; what a test does inside a callback is put into its hooks.
final class Recorder: ResponseReceiver {
    enum Ending: Equatable {
        case completed
        case failed(ClientError.Reason, isAfterHead: Bool)
    }

    private(set) var head: ClientResponse?
    private(set) var body: [UInt8] = []
    private(set) var bodyCount = 0
    private(set) var pieces = 0
    /// The most that came in one call.
    private(set) var largestPiece = 0
    private(set) var wakeUps = 0
    private(set) var ending: Ending?
    /// Calls after the last one that there may be.
    private(set) var lateCalls = 0
    var isCancelled = false
    /// Whether the body is kept, or only counted.
    var keepsBody = true
    var onHead: () -> Void = {}
    var onBody: () -> Void = {}
    var onReadEnded: () -> Void = {}
    var onEnd: () -> Void = {}
    private var waiting: UnsafeContinuation<Ending, Never>?

    var text: String { String(decoding: body, as: UTF8.self) }

    func headReceived(_ head: ClientResponse) {
        note()
        self.head = head
        onHead()
    }

    func bodyReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
        note()
        pieces += 1
        largestPiece = max(largestPiece, bytes.count)
        bodyCount += bytes.count
        if keepsBody { body.append(contentsOf: bytes) }
        onBody()
    }

    func readEnded() {
        note()
        wakeUps += 1
        onReadEnded()
    }

    func completed() { end(.completed) }
    func failed(_ error: ClientError) { end(.failed(error.reason, isAfterHead: error.isAfterHead)) }

    /// How the exchange ended, as soon as it has.
    func ended() async -> Ending {
        if let ending { return ending }
        return await withUnsafeContinuation { waiting = $0 }
    }

    private func note() { if ending != nil || isCancelled { lateCalls += 1 } }

    private func end(_ ending: Ending) {
        note()
        self.ending = ending
        onEnd()
        waiting?.resume(returning: ending)
        waiting = nil
    }
}

extension HTTPClient {
    /// A client of a scripted server.
    convenience init(
        of server: ScriptedServer, io: LoopIO, _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = ClientConfiguration()
        change(&configuration)
        try self.init(origin: Origin(baseURL: server.url), configuration: configuration, io: io)
    }

    /// Sends a small POST and records the answer.
    func post(
        _ body: String = "{}", timeouts: ExchangeTimeouts = .patient, to recorder: Recorder
    ) throws -> Exchange {
        try send(ClientRequest(.post, "/completions", body: Array(body.utf8)), timeouts: timeouts, to: recorder)
    }

    /// Sends a small POST and waits for the answer's end.
    func post(_ body: String = "{}", timeouts: ExchangeTimeouts = .patient) async throws -> Recorder {
        let recorder = Recorder()
        _ = try post(body, timeouts: timeouts, to: recorder)
        _ = await recorder.ended()
        return recorder
    }
}

extension ExchangeTimeouts {
    /// For machines that are busy with other things.
    static let patient = ExchangeTimeouts(connect: .seconds(30))
}

enum Answers {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    static let chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    static let lastChunk = "0\r\n\r\n"
}
