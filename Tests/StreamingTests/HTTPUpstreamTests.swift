import EventLoop
import HTTPClient
import PlaygroundCore
import Synchronization
import Testing

@testable import Streaming

private final class FailoverSeen {
    var times: [Duration] = []
    var attempts: [FailedAttempt] = []
    let breaker = BreakerSeen()
}

private final class BreakerSeen: Sendable {
    let changes = Mutex<[Bool]>([])
}

@Suite struct HTTPUpstreamTests {
    typealias C = Completions

    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ body: String) -> String { String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n" }

    struct Observation: Sendable {
        var outcomes: [CompletionOutcome] = []
        var thrown: ServiceError?
        var text = ""
        var requests: [String] = []
        var acceptedCount = 0
        var leftCount = 0
    }

    static let initialized = Result { try HTTPClient.initialize() }

    /// Runs completions one after the other over real sockets, each to its end.
    static func observe(
        _ answer: [String], closes: Bool = false, count: Int = 1, clientLeaves: Bool = false
    ) async throws -> Observation {
        try Self.initialized.get()
        let loop = EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        return try await loop.run { loop in
            let io = loop.io
            let server = try ListeningUpstream(io: io, answer: answer, closes: closes)
            let client = try HTTPClient(origin: Origin(baseURL: "http://127.0.0.1:\(server.port)/v1"), io: io)
            let transport = try HTTPUpstreamTransport(client: client, key: Secret("sk-secret"))
            let pool = UpstreamPool(
                [Upstream(description: UpstreamDescription(), transport: transport)], timing: RelayTiming(), io: io)
            var seen = Observation()
            for _ in 0..<count {
                let sink = RecordingSink(io: io)
                if clientLeaves { sink.onWrite = { $0.close() } }
                let relay = try CompletionRelay(
                    id: RelayScene.ids.completion, owner: RelayScene.ids.user, sessionID: nil, request: RelayScene.request,
                    pool: pool, requestedAt: io.now
                ) { Array($0.code.rawValue.utf8) }
                relay.grant(maxTokens: 100, upstream: nil)
                do throws(ServiceError) {
                    await relay.relay(into: sink)
                    seen.outcomes.append(try relay.outcome())
                } catch {
                    seen.thrown = error
                }
                seen.text += sink.writes.map(\.text).joined()
                // Lets the other side see what was done to its connection.
                await RelayScene.wait(.milliseconds(20), io)
            }
            seen.requests = server.requests
            seen.acceptedCount = server.acceptedCount
            seen.leftCount = server.leftCount
            client.close()
            server.stop()
            return seen
        }
    }

    @Test("completions stream over one connection that is kept, each request with the key and the stream asked for")
    func streams() async throws {
        let body = Self.chunk(C.event("a")) + Self.chunk(C.event("b", finish: "stop") + C.usage(3, 2) + C.done)
        let seen = try await Self.observe([Self.head, body, "0\r\n\r\n"], count: 3)
        #expect(seen.outcomes.map(\.ending) == [.done, .done, .done])
        #expect(seen.outcomes.map(\.usage) == Array(repeating: RelayScene.usage(3, 2, .exact), count: 3))
        let once = C.frame("a") + C.frame("b") + C.lastFrame("stop", 3, 2, "exact")
        #expect(seen.text == once + once + once)
        #expect(seen.acceptedCount == 1)
        #expect(seen.requests.allSatisfy { $0.hasPrefix("POST /v1/completions HTTP/1.1\r\n") })
        #expect(seen.requests.allSatisfy { $0.contains("\r\nAuthorization: Bearer sk-secret\r\n") })
        #expect(seen.requests.allSatisfy { $0.contains(#""stream":true,"stream_options":{"include_usage":true}"#) })
    }

    @Test("a connection that is closed in the midst of a chunk is an error event after the text")
    func cutOff() async throws {
        let seen = try await Self.observe([Self.head + Self.chunk(C.event("a")) + "ff\r\ndata: {"], closes: true)
        #expect(seen.text == C.frame("a") + "event: error\ndata: upstream_error\n\n")
        #expect(seen.outcomes.first?.usage == RelayScene.usage(7, 1, .counted))
    }

    @Test("a client that leaves closes the connection to the upstream")
    func clientGone() async throws {
        let seen = try await Self.observe([Self.head + Self.chunk(C.event("a"))], clientLeaves: true)
        #expect(seen.outcomes.map(\.ending) == [.clientGone])
        #expect(seen.leftCount == 1)
    }

    @Test("a refusal's status, code and wait come through")
    func refused() async throws {
        let body = #"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#
        let head = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nretry-after-ms: 250\r\nRetry-After: 1\r\n"
        let seen = try await Self.observe([head + "Content-Length: \(body.utf8.count)\r\n\r\n", body])
        #expect(seen.thrown?.code == .upstreamRateLimited)
        #expect(seen.thrown?.retryAfter == .milliseconds(250))
        #expect(seen.text == "")
    }

    @Test("an upstream that nobody listens for is followed by the next, and costs nothing once its breaker is open")
    func failsOver() async throws {
        try Self.initialized.get()
        let loop = EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        let (times, attempts, opened) = try await loop.run { loop in
            let io = loop.io
            let body = Self.chunk(C.event("a", finish: "stop") + C.done) + "0\r\n\r\n"
            let server = try ListeningUpstream(io: io, answer: [Self.head, body])
            let gone = try ListeningUpstream(io: io, answer: [])
            gone.stop()
            let clients = try [gone.port, server.port].map {
                try HTTPClient(origin: Origin(baseURL: "http://127.0.0.1:\($0)/v1"), io: io)
            }
            let seen = FailoverSeen()
            let breaker = seen.breaker
            let upstreams = try clients.map { client in
                Upstream(
                    description: UpstreamDescription(), transport: try HTTPUpstreamTransport(client: client, key: nil),
                    circuit: UpstreamCircuit { isOpen in breaker.changes.withLock { $0.append(isOpen) } })
            }
            let pool = UpstreamPool(upstreams, timing: RelayTiming(), io: io) { seen.attempts.append($0) }
            for _ in 0..<20 {
                let sink = RecordingSink(io: io)
                let relay = try CompletionRelay(
                    id: RelayScene.ids.completion, owner: RelayScene.ids.user, sessionID: nil, request: RelayScene.request,
                    pool: pool, requestedAt: io.now
                ) { Array($0.code.rawValue.utf8) }
                relay.grant(maxTokens: 100, upstream: nil)
                let begun = ContinuousClock.now
                await relay.relay(into: sink)
                #expect(try relay.outcome().ending == .done)
                seen.times.append(ContinuousClock.now - begun)
                // Failures of one moment do not open it.
                await RelayScene.wait(.milliseconds(25), io)
            }
            for client in clients { client.close() }
            server.stop()
            return (seen.times, seen.attempts, breaker.changes.withLock { $0 })
        }
        #expect(CircuitBreaker.threshold..<20 ~= attempts.count)
        #expect(attempts.allSatisfy { $0.fault == "unreachable" })
        #expect(opened == [true])
        #expect(times.allSatisfy { $0 < .milliseconds(400) })
    }

    @Test("an upstream that closes without an answer is an upstream error")
    func noAnswer() async throws {
        let seen = try await Self.observe([], closes: true)
        #expect(seen.thrown?.code == .upstreamError)
    }
}
